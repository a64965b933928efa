"""A scene by state overrides, where that is exact: one ``eth_call`` and one ``eth_estimateGas`` an action.

An override can say what code lies where, a nonce and a balance, but not what an action wrote to storage without knowing
it. So of every action is found out what it leaves behind (``leftovers.py``): code alone, which is carried on; writes to
its own storage, after which nothing may run that contract; or anything, after which nothing can be said. What cannot be
carried on exactly raises ``SimulationUnsupported``, and an anvil fork has the word. Source: geth's documentation of
``eth_call``, "Override set".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from chains.evm.actions import Action
from chains.evm.address import create_address
from chains.evm.leftovers import code_after, leaves_code_alone, stays_at_home
from chains.evm.node import Head, Node, data_or_nothing, hex_bytes, quantity
from chains.evm.scene import Outcome, Ran, Scene, SimulationUnsupported
from chains.evm.verify.bytecode import init_code
from chains.rpc import Request, Rpc, RpcFault

__all__ = ["by_overrides"]

Overrides = dict[str, dict[str, str]]

_ENOUGH_WEI = 10**30
_PROBE = "0x00000000000000000000000000000000000000ab"
_POISON = "0x61400060002060005260206000fd"
"""Hashes 16 KiB of zeros and reverts with the hash: nothing that runs it can give the answer or take the gas of before."""
_BALANCE_OF_CALLER = "0x333160005260206000f3"
_STORES = "0x6001600055"
_OWN_ADDRESS = "0x3060005260206000f3"
_STORING_GAS = 21_000 + 20_000


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
    balance, probe = {sender.lower(): {"balance": hex(_ENOUGH_WEI)}}, {"from": sender, "to": _PROBE}
    requests: list[Request] = [
        ("eth_call", [probe, "latest", {_PROBE: {"code": _BALANCE_OF_CALLER}, **balance}]),
        ("eth_call", [{"from": sender, "data": _OWN_ADDRESS}, "latest", {sender.lower(): {"nonce": hex(nonce + 7)}}]),
        ("eth_estimateGas", [probe, "latest", {_PROBE: {"code": _STORES}, **balance}]),
    ]
    found, address, gas = rpc.read_all(requests)
    try:
        kept = int.from_bytes(hex_bytes(found), "big") == _ENOUGH_WEI and quantity(gas) >= _STORING_GAS
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
                self._leave(action, outcome)
        reads = tuple(self._read(to, data) for to, data in scene.reads)
        return Ran("state overrides", tuple(acted), reads, tuple(self._has_code(at) for at in scene.codes))

    def _no_reads(self) -> tuple[Outcome, ...]:
        return tuple(Outcome(False, 0, b"", b"") for _ in self.scene.reads)

    def _overrides(self, nonce: int | None = None) -> Overrides:
        made: Overrides = {at: {"code": "0x" + code.hex(), "nonce": "0x1"} for at, code in self.codes.items()}
        made[self.scene.sender.lower()] = {
            "balance": hex(_ENOUGH_WEI),
            **({"nonce": hex(nonce)} if nonce is not None else {}),
        }
        return made

    def _poisoned(self, overrides: Overrides) -> Overrides:
        return {**overrides, **{at: {**overrides.get(at, {}), "code": _POISON} for at in self.unknown}}

    def _act(self, action: Action, limit: int | None) -> Outcome:
        self._not_lost(action.id)
        call = {"from": self.scene.sender, "value": hex(action.value_wei), "input": "0x" + action.data.hex()}
        call |= {"to": action.to} if action.to else {}
        call |= {"gas": hex(limit)} if limit is not None else {}
        overrides = self._overrides(action.nonce)
        methods = ["eth_call"] if limit is not None else ["eth_call", "eth_estimateGas"]
        answers = self.rpc.read_all([(method, [call, self.block, overrides]) for method in methods])
        self._not_touching(action.id, methods, call, overrides, answers)
        if isinstance(answers[0], RpcFault):
            return _failed(action.id, answers[0])
        try:
            gas = quantity(answers[1]) if limit is None else limit
        except ValueError as error:
            raise SimulationUnsupported(f"the node estimates no gas for {action.id}") from error
        returned = data_or_nothing(answers[0])
        if action.to is None:
            self._lies_at(action, returned)
            returned = bytes.fromhex(str(action.address or create_address(self.scene.sender, action.nonce))[2:])
        return Outcome(True, gas, returned, b"")

    def _read(self, to: str, data: bytes) -> Outcome:
        what = f"a read of {to}"
        self._not_lost(what)
        call, overrides = {"from": self.scene.sender, "to": to, "input": "0x" + data.hex()}, self._overrides()
        answers = self.rpc.read_all([("eth_call", [call, self.block, overrides])])
        self._not_touching(what, ["eth_call"], call, overrides, answers)
        if isinstance(answers[0], RpcFault):
            return _failed(what, answers[0])
        return Outcome(True, 0, data_or_nothing(answers[0]), b"")

    def _has_code(self, address: str) -> bool:
        self._not_lost(f"whether there is code at {address}")
        return address.lower() in self.codes or bool(Node(self.rpc).code(address))

    def _not_lost(self, what: str) -> None:
        if self.lost is not None:
            raise SimulationUnsupported(f"{what} comes after {self.lost}, which may write to any storage")

    def _not_touching(
        self, what: str, methods: list[str], call: dict[str, str], overrides: Overrides, answers: list[Any]
    ) -> None:
        """Run it again with every contract of unknown storage replaced: the same answers show that none was run."""
        if not self.unknown:
            return
        poisoned = self._poisoned(overrides)
        again = self.rpc.read_all([(method, [call, self.block, poisoned]) for method in methods])
        if [_plain(answer) for answer in answers] != [_plain(answer) for answer in again]:
            raise SimulationUnsupported(f"{what} depends on storage that earlier actions wrote")

    def _lies_at(self, action: Action, code: bytes) -> None:
        self.codes[str(action.address or create_address(self.scene.sender, action.nonce)).lower()] = code

    def _leave(self, action: Action, outcome: Outcome) -> None:
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
            if leaves_code_alone(self.rpc, self.block, action, self.scene.sender, self.codes[home], self._overrides()):
                return
            code = init_code(action)
        if stays_at_home(code):
            self.unknown.add(home)
        else:
            self.lost = action.id


def _plain(answer: Any) -> Any:
    return (answer.code, answer.data) if isinstance(answer, RpcFault) else answer


def _failed(what: str, fault: RpcFault) -> Outcome:
    if not fault.reverted:  # it may as well be the node that does not want to
        raise SimulationUnsupported(f"the node gives no answer to {what}: {fault}")
    revert = data_or_nothing(fault.data)
    return Outcome(False, 0, revert, revert)
