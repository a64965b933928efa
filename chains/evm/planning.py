"""A plan in the making: the next nonce, what is known at each address, and the values that go into payloads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from chains.errors import NeedsPerson
from chains.evm.abi import AbiType, constructor_types, decode, encode, find_function, jsonable, selector
from chains.evm.actions import Action, PlannedUnit, Reading
from chains.evm.address import address_bytes
from chains.evm.artifacts import Artifact, link
from chains.evm.authority import Authorities
from chains.evm.dag import library_units
from chains.evm.live import LiveUnit
from chains.evm.node import Node
from chains.evm.proposing import Waiting
from chains.evm.proxies import ProxyUnsupported
from chains.evm.reading import Reads, holds_reads
from chains.evm.simulator import Simulator
from chains.evm.units import DEPLOYER, Call, CallUnit, ContractUnit, EvmUnits, Ref, Value

__all__ = ["Layout", "LiveStateDrifted", "Sources"]

Sources = Callable[[str], Artifact]
"""Gives the artifact of ``path:Contract`` or of a bare contract name; raises a ``Refused`` when there is none."""


class LiveStateDrifted(NeedsPerson):
    """SHIP-E07: the chain does not hold what the journal recorded."""

    code = "SHIP-E07"


@dataclass
class Layout:
    """The work of one ``lay_out``: the next nonce, and each unit's state as the plan has made it so far."""

    units: EvmUnits
    sources: Sources
    node: Node
    deployer: str
    nonce: int
    live: dict[str, LiveUnit]
    authorities: Authorities
    waiting: Waiting
    simulator: Simulator
    actions: list[Action] = field(default_factory=list)
    planned: list[PlannedUnit] = field(default_factory=list)
    reads: list[Mapping[str, Any]] = field(default_factory=list)
    fresh: set[str] = field(default_factory=set)
    abis: dict[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    readings: Reads = field(init=False)

    def __post_init__(self) -> None:
        self.readings = Reads(self.node, self.simulator, self.resolve, self.address_of, self.abi_at, self.actions)

    def resolve(self, ref: Ref) -> str:
        """The address a reference stands for; the unit it names was laid out before (or is live)."""
        if ref == DEPLOYER:
            return self.deployer
        address = getattr(self.live.get(ref.unit), ref.part, None)
        if address is None:
            raise ProxyUnsupported(
                f"{ref} has no address: `{ref.unit}` has no {ref.part}",
                remedy="`implementation`, `admin` and `beacon` exist only for the kinds of proxy that have them.",
            )
        return str(address)

    def address_of(self, value: Value, where: str) -> str:
        """A recipient or owner: exactly one ABI address."""
        kind = AbiType(where, "address")
        word = encode([kind], [self.readings.fill(value, kind)], self.resolve, where)
        return str(decode([AbiType("", "address")], word)[0])

    def abi_at(self, address: str) -> Sequence[Mapping[str, Any]] | None:
        return self.abis.get(address.lower())

    def has_code(self, address: str) -> bool:
        return address.lower() in self.fresh | self.readings.appeared or bool(self.node.code(address))

    def add(self, action: Action) -> Action:
        placed = replace(action, nonce=self.nonce)
        if reads := self.readings.take():
            placed = self.resting(placed, reads)
        self.nonce += action.kind != "proposal"
        self.actions.append(placed)
        if placed.address:
            self.fresh.add(placed.address.lower())
        return placed

    def resting(self, action: Action, reads: tuple[Reading, ...]) -> Action:
        """``action`` with what it rests on, which its unit's live state keeps."""
        if not reads:
            return action
        kept = {reading.key: "0x" + reading.answer.hex() for reading in reads}
        self.live[action.unit] = self.live[action.unit].merge({"reads": kept})
        return replace(action, reads=reads, effect={**action.effect, "reads": kept})

    def add_due(self, unit: str | None) -> None:
        """Let nothing of ``unit`` come before what it has to wait for."""
        for action in self.waiting.due(unit):
            self.add(action)

    def before_reading(self, unit: ContractUnit | CallUnit) -> None:
        """What ``unit`` has to wait for is in the plan before a value is read for it."""
        self.readings.take()
        if holds_reads(unit):
            self.add_due(unit.name)

    def still_there(self, name: str, address: str) -> None:
        if not self.node.code(address):
            raise LiveStateDrifted(
                f"{name} is recorded at {address}, but the chain has no code there",
                remedy="The chain was reset, or the contract destroyed itself. For the embedded local chain use "
                "`ship localnet reset`; elsewhere find out before deploying anew.",
            )

    def init_code(self, unit: ContractUnit, artifact: Artifact, args: Sequence[Value], where: str) -> tuple[bytes, Any]:
        """Linked creation code with encoded arguments, and the arguments for people."""
        libraries = {
            name: address_bytes(self.address_of(value, f"{where}, library {name}"))
            for name, value in unit.libraries.items()
        }
        for name, unit_name in library_units(unit, artifact, self.units).items():
            libraries[name] = address_bytes(self.resolve(Ref(unit_name)))
        inputs, payable = constructor_types(artifact.abi)
        if unit.value_wei and not payable and unit.proxy == "none":
            raise ProxyUnsupported(
                f"{where} is not payable, but `value` gives it {unit.value_wei} wei", remedy="Remove `value`."
            )
        encoded = encode(inputs, self.readings.fill_all(inputs, args), self.resolve, where)
        return link(artifact.creation_code, artifact.creation_links, libraries) + encoded, _shown(inputs, encoded)

    def calldata(self, call: Call, abi: Sequence[Mapping[str, Any]] | None, owner: str) -> tuple[bytes, Any]:
        function = find_function(call.signature, abi, owner)
        values = self.readings.fill_all(function.inputs, call.args)
        encoded = encode(function.inputs, values, self.resolve, f"{owner}.{function.name}")
        return selector(function) + encoded, _shown(function.inputs, encoded)


def _shown(inputs: Sequence[AbiType], encoded: bytes) -> tuple[Mapping[str, Any], ...]:
    values = decode(inputs, encoded)
    return tuple({"name": i.name, "type": i.type, "value": jsonable(v)} for i, v in zip(inputs, values, strict=True))
