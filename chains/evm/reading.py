"""Values read from the chain while a plan is made: ``{ read = …, on = …, args = […] }`` in an argument.

What no earlier action of the plan changes is read as it is now. Else it is read in a simulation of those actions, and the
action that carries the value waits for them. Either way the action remembers read and answer, and is signed only while
the chain still gives that answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from chains.evm.abi import AbiMismatch, AbiType, decode, encode, find_function, selector
from chains.evm.actions import Action, Reading
from chains.evm.node import Node
from chains.evm.scene import Scene, SimulationUnsupported
from chains.evm.simulate import ReadFailed, must_succeed
from chains.evm.simulator import Simulator
from chains.evm.units import CallUnit, ContractUnit, Read, Ref, Value
from chains.rpc import RpcFault

__all__ = ["Reads", "holds_reads"]


@dataclass
class Reads:
    """The reads of one plan. ``address`` gives the address of a read's ``on``, ``abi`` what is known at an address."""

    node: Node
    simulator: Simulator
    resolve: Callable[[Ref], str]
    address: Callable[[Value, str], str]
    abi: Callable[[str], Sequence[Mapping[str, Any]] | None]
    actions: Sequence[Action]
    remembered: Mapping[str, str] = field(default_factory=dict)
    appeared: set[str] = field(default_factory=set)
    log: list[Reading] = field(default_factory=list)
    _taken: list[Reading] = field(default_factory=list)

    @property
    def sender(self) -> str:
        return self.simulator.sender

    def fill_all(self, kinds: Sequence[AbiType], values: Sequence[Value]) -> list[Value]:
        """``values`` for parameters of these types, every read replaced by what it gives.

        Raises ``ReadFailed`` and ``AbiMismatch``, also where a read gives another type than the parameter has.
        """
        padded = [*kinds, *[None] * (len(values) - len(kinds))]
        return [self.fill(value, kind) for value, kind in zip(values, padded, strict=False)]

    def fill(self, value: Value, kind: AbiType | None = None) -> Value:
        """``value`` with every read replaced; ``kind`` is the type it is for."""
        if isinstance(value, Read):
            return self._read(value, kind)
        inner = kind.components if kind is not None and kind.type.endswith(")") else ()
        if isinstance(value, tuple):
            if kind is not None and kind.type.endswith("]"):
                return tuple(self.fill(item, kind.item()) for item in value)
            return tuple(self.fill_all(inner, value))
        if isinstance(value, Mapping):
            by_name = {component.name: component for component in inner}
            return {key: self.fill(item, by_name.get(key)) for key, item in value.items()}
        return value

    def take(self) -> tuple[Reading, ...]:
        """The readings since the last ``take``: what the next action rests on."""
        taken = tuple({reading.key: reading for reading in self._taken}.values())
        self._taken.clear()
        return taken

    @contextmanager
    def recalling(self, answers: Mapping[str, str]) -> Iterator[None]:
        """Take these answers of an earlier run for the reads inside, where they have one; nothing inside is taken."""
        with self.aside():
            self.remembered = answers
            try:
                yield
            finally:
                self.remembered = {}

    @contextmanager
    def aside(self) -> Iterator[None]:
        """What is read inside is no condition of the next action."""
        kept = list(self._taken)
        try:
            yield
        finally:
            self._taken[:] = kept

    def _read(self, read: Read, kind: AbiType | None) -> Value:
        to = self.address(read.on, f"`on` of the read {read.signature}")
        owner = read.on.unit if isinstance(read.on, Ref) and read.on.unit else to
        function = find_function(read.signature, self.abi(to), owner)
        where = f"the read {owner}.{function.name}"
        output = function.outputs[0]
        if kind is not None and _family(kind) != _family(output):
            raise AbiMismatch(
                f"{where} gives a {output.type}, the parameter is a {kind.type}", remedy="Read another value."
            )
        values = self.fill_all(function.inputs, read.args)
        data = selector(function) + encode(function.inputs, values, self.resolve, where)
        key = Reading(to, data, b"", read.signature, settled=True).key
        if key in self.remembered:
            answer = bytes.fromhex(self.remembered[key][2:])
            self._taken.append(Reading(to, data, answer, read.signature, settled=True))
        else:
            answer = self._ask(to, data, read, where)
        try:
            found = decode([output], answer)[0]
        except ValueError as error:
            raise ReadFailed(
                f"{where} gives 0x{answer[:64].hex() or ' nothing'}, which is no {output.type}",
                remedy="Correct `on` or the return type; or the contract is not there yet: name what deploys it in `after`.",
            ) from error
        value = _value(output, found)
        if output.type == "address" and isinstance(value, str) and self._appears(value):
            self.appeared.add(value.lower())
        return value

    def _ask(self, to: str, data: bytes, read: Read, where: str) -> bytes:
        now = self._now(to, data)
        then = self._then(to, data) if self.actions else now
        if then is None:
            raise ReadFailed(
                f"{where} reverts" + (" after the actions before it" if self.actions else ""),
                remedy="Correct its arguments, or name in `after` what must come first.",
            )
        reading = Reading(to, data, then, read.signature, settled=then == now)
        self._taken.append(reading)
        self.log.append(reading)
        return then

    def _now(self, to: str, data: bytes) -> bytes | None:
        try:
            return self.node.call(to, data, self.sender)
        except RpcFault:
            return None

    def _then(self, to: str, data: bytes) -> bytes | None:
        return self._simulated(to, data)[0]

    def _appears(self, address: str) -> bool:
        """Whether an action of the plan so far creates ``address``, as a factory does."""
        if not self.actions or self.node.code(address):
            return False
        return self._simulated(address, b"")[1]

    def _simulated(self, to: str, data: bytes) -> tuple[bytes | None, bool]:
        """``(answer, whether there is code)`` once the actions so far are done; ``None`` when it reverts."""
        actions = tuple(self.actions)
        try:
            ran = self.simulator.run(Scene(self.sender, actions, reads=((to, data),), codes=(to,)))
        except SimulationUnsupported as error:
            raise ReadFailed(
                f"the value depends on earlier actions of the plan, and they cannot be simulated: {error}",
                remedy="Use an endpoint that serves eth_simulateV1 (geth, reth, nethermind, anvil do), or install anvil.",
            ) from error
        for action, outcome in zip(actions, ran.actions, strict=True):
            must_succeed(action, outcome, ())
        return ran.reads[0].returned if ran.reads[0].succeeded else None, ran.codes[0]


def holds_reads(unit: ContractUnit | CallUnit) -> bool:
    """Whether a value of the unit is read from the chain."""
    if isinstance(unit, CallUnit):
        return any(_is_read(value) for value in (unit.to, *unit.call.args))
    calls = [call.args for call in (unit.initialize, unit.upgrade) if call is not None]
    return any(_is_read(value) for value in (unit.args, unit.proxy_owner, *unit.libraries.values(), *calls))


def _is_read(value: Value) -> bool:
    if isinstance(value, tuple):
        return any(_is_read(item) for item in value)
    if isinstance(value, Mapping):
        return any(_is_read(item) for item in value.values())
    return isinstance(value, Read)


def _family(kind: AbiType) -> str:
    """Types whose values can stand for one another if they fit: integers of any width, bytes of any length."""
    if kind.type.endswith((")", "]")):
        return kind.type
    return kind.type.rstrip("0123456789").removeprefix("u")


def _value(kind: AbiType, found: Any) -> Value:
    """A decoded value as an argument is written."""
    if isinstance(found, bytes):
        return "0x" + found.hex()
    if isinstance(found, tuple | list):
        inner = kind.components if kind.type.endswith(")") else [kind.item()] * len(found)
        return tuple(_value(k, v) for k, v in zip(inner, found, strict=True))
    assert isinstance(found, bool | int | str)
    return found
