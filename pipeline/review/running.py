"""The plan carried out on a private copy of the chain, action by action, with everything each one changed.

Nothing in the outcome depends on when or where it runs: gas costs nothing on the copy, and its clock is set before every
block. Source of the differences: geth's ``prestateTracer`` in ``diffMode``, which anvil serves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chains.base import Clock
from chains.errors import Resumable
from chains.evm.actions import Action, PlannedCheck
from chains.evm.address import checksum
from chains.evm.fork import private_fork
from chains.evm.node import Head, hex_bytes, quantity
from chains.evm.scene import SimulationUnsupported
from chains.rpc import Rpc, RpcDown, RpcFault

__all__ = ["Log", "Replica", "ReviewFailed", "Step", "replica"]

_MOST_GAS = 5 * 10**7
_MINE_S = 60.0
_TRACER = {"tracer": "prestateTracer", "tracerConfig": {"diffMode": True}}


class ReviewFailed(Resumable):
    """SHIP-Y01: the plan could not be carried out on a private copy of the chain."""

    code = "SHIP-Y01"

    @classmethod
    def default_done(cls) -> str:
        return "Nothing was sent."


@dataclass(frozen=True)
class Log:
    """An event as the chain has it."""

    address: str
    topics: tuple[bytes, ...]
    data: bytes


@dataclass(frozen=True)
class Step:
    """What one action did: storage by account and slot, native balances in wei, code; each before and after."""

    action: str
    storage: Mapping[str, Mapping[int, tuple[bytes, bytes]]]
    balances: Mapping[str, tuple[int, int]]
    codes: Mapping[str, tuple[bytes, bytes]]
    logs: tuple[Log, ...]


@dataclass
class Replica:
    """A private fork of the chain at ``head``."""

    fork: Rpc
    head: Head
    _seen_s: int = 0

    def run(self, actions: Sequence[Action], sender: str) -> list[Step]:
        """Every action in order, each in a block of its own. Raises ``ReviewFailed``."""
        self._seen_s = self.head.timestamp_s
        try:
            return [self._step(action, sender) for action in actions]
        except (RpcFault, RpcDown, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ReviewFailed(
                f"the private copy of the chain gives no usable answer: {error}",
                remedy="Run `ship doctor`; the endpoint must serve the state of the plan's block.",
            ) from error

    def _step(self, action: Action, sender: str) -> Step:
        # As the plan's simulation has it: a second between actions, and a timelock's delay passed.
        self._seen_s += 1 + (action.ready.delay_s if action.ready else 0)
        by = action.by or sender
        if action.by is None:
            self.fork.read("anvil_setNonce", [sender, hex(action.nonce)])
        self.fork.read("anvil_setNextBlockBaseFeePerGas", ["0x0"])
        self.fork.read("evm_setNextBlockTimestamp", [hex(self._seen_s)])
        request = {"from": by, "value": hex(action.value_wei), "input": "0x" + action.data.hex(), "gasPrice": "0x0"}
        request["gas"] = hex(min(self.head.gas_limit * 9 // 10, _MOST_GAS))
        if action.to:
            request["to"] = action.to
        sent = self.fork.read("eth_sendTransaction", [request])
        receipt = self._receipt(sent)
        if quantity(receipt["status"]) != 1:
            raise ReviewFailed(
                f"{action.id} ({action.title}) fails on a private copy of the chain at block {self.head.number}",
                remedy="Make the plan again: the chain is not what the plan was made for.",
            )
        diff = self.fork.read("debug_traceTransaction", [sent, _TRACER])
        return Step(action.id, _storage(diff), _balances(diff), _codes(diff), tuple(_logs(receipt)))

    def _receipt(self, sent: str) -> Mapping[str, Any]:
        deadline_s = self.fork.clock.monotonic_s() + _MINE_S
        while (receipt := self.fork.read("eth_getTransactionReceipt", [sent])) is None:
            if self.fork.clock.monotonic_s() > deadline_s:
                raise ReviewFailed("a transaction was not mined on the private copy", remedy="Run again.")
            self.fork.clock.sleep_s(0.01)
        return dict(receipt)

    def code(self, address: str, *, before: bool = False) -> bytes:
        return hex_bytes(self.fork.read("eth_getCode", [address, self._block(before)]))

    def slot(self, address: str, slot: int, *, before: bool = False) -> bytes:
        word = self.fork.read("eth_getStorageAt", [address, hex(slot), self._block(before)])
        return hex_bytes(word).rjust(32, b"\0")

    def call(self, address: str, data: bytes, *, before: bool = False) -> bytes | None:
        """What a read answers; ``None`` when it reverts."""
        try:
            request = {"to": address, "input": "0x" + data.hex()}
            return hex_bytes(self.fork.read("eth_call", [request, self._block(before)]))
        except RpcFault:
            return None

    def wrong_checks(self, checks: Sequence[PlannedCheck]) -> list[str]:
        """The names of the plan's checks that do not hold once everything is done."""
        return [check.name for check in checks if self.call(check.to, check.data) != check.expected]

    def _block(self, before: bool) -> str:
        return hex(self.head.number) if before else "latest"


def _sides(diff: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any], Mapping[str, Any]]]:
    pre, post = diff["pre"], diff["post"]
    for address in sorted({*pre, *post}, key=str.lower):
        yield checksum(address), pre.get(address) or {}, post.get(address) or {}


def _storage(diff: Mapping[str, Any]) -> dict[str, dict[int, tuple[bytes, bytes]]]:
    """What the tracer leaves out of one side is zero there."""
    found: dict[str, dict[int, tuple[bytes, bytes]]] = {}
    for address, pre, post in _sides(diff):
        old = {int(k, 16): hex_bytes(v).rjust(32, b"\0") for k, v in (pre.get("storage") or {}).items()}
        new = {int(k, 16): hex_bytes(v).rjust(32, b"\0") for k, v in (post.get("storage") or {}).items()}
        changed = {slot: (old.get(slot, bytes(32)), new.get(slot, bytes(32))) for slot in sorted({*old, *new})}
        changed = {slot: words for slot, words in changed.items() if words[0] != words[1]}
        if changed:
            found[address] = changed
    return found


def _balances(diff: Mapping[str, Any]) -> dict[str, tuple[int, int]]:
    """The tracer gives a balance on both sides where it changed; one of a new account on one."""
    found = {}
    for address, pre, post in _sides(diff):
        before = quantity(pre.get("balance", "0x0"))
        after = quantity(post["balance"]) if "balance" in post else (before if post else 0)
        if before != after:
            found[address] = (before, after)
    return found


def _codes(diff: Mapping[str, Any]) -> dict[str, tuple[bytes, bytes]]:
    found = {}
    for address, pre, post in _sides(diff):
        before = hex_bytes(pre.get("code") or "0x")
        after = hex_bytes(post["code"]) if "code" in post else (before if post else b"")
        if before != after:
            found[address] = (before, after)
    return found


def _logs(receipt: Mapping[str, Any]) -> Iterator[Log]:
    for log in receipt["logs"]:
        yield Log(checksum(log["address"]), tuple(hex_bytes(t) for t in log["topics"]), hex_bytes(log["data"]))


@contextmanager
def replica(rpc: Rpc, anvil: Path, head: Head, clock: Clock) -> Iterator[Replica]:
    """A copy of the chain at ``head``, thrown away afterwards. Raises ``ReviewFailed``."""
    try:
        with private_fork(rpc, anvil, head.number, clock) as endpoint:
            yield Replica(Rpc([endpoint], clock=clock), head)
    except SimulationUnsupported as error:
        raise ReviewFailed(
            f"no private copy of the chain at block {head.number}: {error}",
            remedy="Run `ship doctor`; the endpoint must serve the state of that block.",
        ) from error
