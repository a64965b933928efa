"""A scene by state overrides, where that is exact: an ``eth_call`` or two for an action, measured (``measuring.py``).

An override can say what code lies where, a nonce and a balance, but not what an action wrote to storage without knowing
it. So of every action is found out what it leaves behind (``leftovers.py``): code alone, which is carried on; writes to
its own storage, after which nothing may run that contract; or anything, after which nothing can be said. What cannot be
carried on exactly raises ``SimulationUnsupported``, and an anvil fork has the word. Source: geth's documentation of
``eth_call``, "Override set".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from chains.evm.actions import Action
from chains.evm.address import create_address
from chains.evm.gas import intrinsic_gas
from chains.evm.leftovers import code_after, leaves_code_alone, stays_at_home
from chains.evm.measuring import (
    ENOUGH_WEI,
    Measured,
    Overrides,
    measured,
    measured_call,
    measured_creation,
    transaction_gas,
)
from chains.evm.node import Head, Node, data_or_nothing, hex_bytes
from chains.evm.scene import Outcome, Ran, Scene, SimulationUnsupported
from chains.evm.verify.bytecode import init_code
from chains.rpc import Request, Rpc, RpcFault

__all__ = ["by_overrides"]

_PROBE = "0x00000000000000000000000000000000000000ab"
_POISON = "0x61400060002060005260206000fd"
"""Hashes 16 KiB of zeros and reverts with the hash: what runs it cannot give the answer and take the gas of before."""
_BALANCE_OF_CALLER = "0x333160005260206000f3"
_OWN_ADDRESS = "0x3060005260206000f3"


def by_overrides(rpc: Rpc, scene: Scene, head: Head) -> Ran:
    """On the state of the block ``head``. Raises ``SimulationUnsupported`` where the node takes no overrides, or they would not be exact."""
    for what, wanted in (("events are wanted", scene.logs), ("calls by others are to be tried", scene.probes)):
        if wanted:
            raise SimulationUnsupported(f"{what}, which state overrides do not show")
    for action in scene.actions:
        if action.ready is not None or action.by is not None:
            raise SimulationUnsupported(
                f"{action.id} is not the deployer's alone, or has to wait: overrides do not show it"
            )
    nonce = scene.actions[0].nonce if scene.actions else 0
    _confirm_overrides(rpc, scene.sender, nonce)
    return _Carried(rpc, scene, hex(head.number)).run()


def _confirm_overrides(rpc: Rpc, sender: str, nonce: int) -> None:
    """A node that does not know overrides may ignore them, and give wrong answers. Raises ``SimulationUnsupported``."""
    balance, probe = {sender.lower(): {"balance": hex(ENOUGH_WEI)}}, {"from": sender, "to": _PROBE}
    requests: list[Request] = [
        ("eth_call", [probe, "latest", {_PROBE: {"code": _BALANCE_OF_CALLER}, **balance}]),
        ("eth_call", [{"from": sender, "data": _OWN_ADDRESS}, "latest", {sender.lower(): {"nonce": hex(nonce + 7)}}]),
    ]
    found, address = rpc.read_all(requests)
    try:
        kept = int.from_bytes(hex_bytes(found), "big") == ENOUGH_WEI
        kept = kept and hex_bytes(address)[-20:] == bytes.fromhex(create_address(sender, nonce + 7)[2:])
    except ValueError:
        kept = False
    if not kept:
        raise SimulationUnsupported("the node takes no state overrides")


@dataclass
class _Carried:
    """The state as the actions so far leave it: code that came to be, contracts whose storage is not known any more."""

    rpc: Rpc
    scene: Scene
    block: str
    codes: dict[str, bytes] = field(default_factory=dict)
    unknown: set[str] = field(default_factory=set)
    lost: str | None = None
    taken: int = 0

    def run(self) -> Ran:
        scene, acted = self.scene, []
        looked_at = bool(scene.reads or scene.codes)
        for number, action in enumerate(scene.actions):
            outcome = self._act(action, scene.limits[number] if scene.limits else None)
            acted.append(outcome)
            if not outcome.succeeded:  # nothing after it can be said, and nothing has to be
                return Ran(
                    "state overrides", (*acted, *[outcome] * (len(scene.actions) - number - 1)), self._no_reads()
                )
            if number + 1 < len(scene.actions) or looked_at:
                self._leave(action)
        reads = tuple(self._read(to, data) for to, data in scene.reads)
        return Ran("state overrides", tuple(acted), reads, tuple(self._has_code(at) for at in scene.codes))

    def _no_reads(self) -> tuple[Outcome, ...]:
        return tuple(Outcome(False, 0, b"", b"") for _ in self.scene.reads)

    def _overrides(self, nonce: int | None = None) -> Overrides:
        made: Overrides = {at: {"code": "0x" + code.hex(), "nonce": "0x1"} for at, code in self.codes.items()}
        made[self.scene.sender.lower()] = {
            "balance": hex(ENOUGH_WEI),
            **({"nonce": hex(nonce)} if nonce is not None else {}),
        }
        return made

    def _poisoned(self, overrides: Overrides) -> Overrides:
        return {**overrides, **{at: {**overrides.get(at, {}), "code": _POISON} for at in self.unknown}}

    def _act(self, action: Action, limit: int | None) -> Outcome:
        self._not_lost(action.id)
        if action.to is None:
            return self._create(action, limit)
        inner = None if limit is None else max(limit - intrinsic_gas(action), 0)
        seen = self._call(action.id, action.to, action.data, nonce=action.nonce, value_wei=action.value_wei, gas=inner)
        self.taken = seen.gas
        data = b"" if action.kind == "call" else seen.data
        return Outcome(bool(seen.head), transaction_gas(action, seen.gas), data, b"" if seen.head else seen.data)

    def _create(self, action: Action, limit: int | None) -> Outcome:
        def ask(overrides: Overrides, limit: int | None = None) -> Request:
            return measured_creation(action, self.scene.sender, self.block, overrides, limit=limit)

        seen = self._untouched(action.id, ask, self._overrides())
        tried = seen
        if limit is not None:
            tried = self._untouched(action.id, lambda overrides: ask(overrides, limit), self._overrides())
        if not tried.head:
            return Outcome(False, 0, tried.data, tried.data)
        made = "0x" + seen.head.to_bytes(20, "big").hex()
        self.codes[made] = seen.data
        self.taken = seen.gas
        return Outcome(True, transaction_gas(action, tried.gas), bytes.fromhex(made[2:]), b"")

    def _read(self, to: str, data: bytes) -> Outcome:
        self._not_lost(f"a read of {to}")
        seen = self._call(f"a read of {to}", to, data)
        return Outcome(bool(seen.head), 0, seen.data, b"" if seen.head else seen.data)

    def _call(
        self, what: str, to: str, data: bytes, *, nonce: int | None = None, value_wei: int = 0, gas: int | None = None
    ) -> Measured:
        """A call by the sender, measured; and once more by a sender without code, whose answer must be the same."""
        overrides, sender = self._overrides(nonce), self.scene.sender

        def ask(state: Overrides) -> Request:
            return measured_call(sender, to, data, self.block, state, value_wei=value_wei, gas=gas)

        seen = self._untouched(what, ask, overrides)
        call = {"from": sender, "to": to, "value": hex(value_wei), "input": "0x" + data.hex()}
        answer = self.rpc.read_all([("eth_call", [call, self.block, overrides])])[0]
        plain = (
            (False, data_or_nothing(answer.data)) if isinstance(answer, RpcFault) else (True, data_or_nothing(answer))
        )
        if gas is None and plain != (bool(seen.head), seen.data):
            raise SimulationUnsupported(f"{what} asks whether the sender has code, or the node gives no such answer")
        return seen

    def _untouched(self, what: str, ask: Callable[[Overrides], Request], overrides: Overrides) -> Measured:
        """The answer; where storage is not known, only if it and its gas stay the same with other code in its place."""
        states = [overrides, self._poisoned(overrides)] if self.unknown else [overrides]
        answers = [measured(answer, what) for answer in self.rpc.read_all([ask(state) for state in states])]
        if answers[0] != answers[-1]:
            raise SimulationUnsupported(f"{what} depends on storage that earlier actions wrote")
        return answers[0]

    def _has_code(self, address: str) -> bool:
        self._not_lost(f"whether there is code at {address}")
        return address.lower() in self.codes or bool(Node(self.rpc).code(address))

    def _not_lost(self, what: str) -> None:
        if self.lost is not None:
            raise SimulationUnsupported(f"{what} comes after {self.lost}, which may write to any storage")

    def _leave(self, action: Action) -> None:
        """Note what is not known any more after ``action``, and the code a factory made."""
        if action.value_wei or action.creates:
            self.lost = action.id
            return
        home = str(action.to or action.address).lower()
        if action.kind == "call":
            code = self.codes.get(home) or Node(self.rpc).code(home)
        else:
            home = str(action.address or create_address(self.scene.sender, action.nonce)).lower()
            if action.to is not None:
                self.codes[home] = code_after(
                    self.rpc, self.block, action, self.scene.sender, self._overrides(action.nonce)
                )
            made = self.codes.get(home, b"")
            if leaves_code_alone(self.rpc, self.block, action, self.scene.sender, made, self.taken, self._overrides()):
                return
            code = init_code(action)
        if stays_at_home(code):
            self.unknown.add(home)
        else:
            self.lost = action.id
