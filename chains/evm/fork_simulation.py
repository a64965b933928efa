"""A scene on an anvil fork of the chain: every action a transaction in a block of its own, then taken back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from chains.base import Clock
from chains.evm.actions import Action
from chains.evm.fork import private_fork
from chains.evm.node import Head, data_or_nothing, quantity
from chains.evm.scene import Outcome, Probe, Ran, Scene, SimulationUnsupported
from chains.rpc import Endpoint, Rpc, RpcFault, RpcUnknown

__all__ = ["Forked", "forked"]

_MINE_S = 60.0
_ENOUGH_WEI = hex(10**30)
_FREE = {"gasPrice": "0x0"}


@contextmanager
def forked(rpc: Rpc, anvil: Path, head: Head, clock: Clock) -> Iterator[Forked]:
    """A fork of the block ``head`` on which gas costs nothing, as in the other ways. Raises ``SimulationUnsupported``."""
    with private_fork(rpc, anvil, head.number, clock, free_gas=True) as endpoint:
        yield Forked(endpoint, head, clock)


class Forked:
    """Runs scenes, each on the state of the fork's own block."""

    def __init__(self, endpoint: Endpoint, head: Head, clock: Clock) -> None:
        self.endpoint = endpoint
        self.gas = head.gas_limit
        self.begins_s = head.timestamp_s
        self.seen_s = head.timestamp_s
        self.clock = clock

    def run(self, scene: Scene) -> Ran:
        """Raises ``SimulationUnsupported`` where the fork gives no usable answer."""
        try:
            snapshot = self._call("evm_snapshot")
            try:
                return self._run(scene)
            finally:
                self._call("evm_revert", snapshot)
        except (RpcUnknown, ValueError, KeyError, TypeError) as error:
            raise SimulationUnsupported(f"the anvil fork gave no usable answer: {error}") from error

    def _run(self, scene: Scene) -> Ran:
        self.seen_s = self.begins_s
        limits = scene.limits or [self.gas] * len(scene.actions)
        acted = tuple(
            self._act(action, scene.sender, limit) for action, limit in zip(scene.actions, limits, strict=True)
        )
        reads = tuple(self._read(scene.sender, to, data) for to, data in scene.reads)
        codes = tuple(bool(data_or_nothing(self._call("eth_getCode", at, "latest"))) for at in scene.codes)
        probes = tuple(self._probe(probe) for probe in scene.probes)
        return Ran("an anvil fork", acted, reads, codes, probes)

    def _call(self, method: str, *params: Any) -> Any:
        answer = self.endpoint.batch([(method, list(params))])[0]
        if isinstance(answer, RpcFault):
            raise RpcUnknown(f"{method}: {answer}")
        return answer

    def _act(self, action: Action, sender: str, limit: int) -> Outcome:
        self.seen_s += action.ready.delay_s if action.ready else 0
        if action.by is None:
            self._call("anvil_setBalance", sender, _ENOUGH_WEI)
            self._call("anvil_setNonce", sender, hex(action.nonce))
        request = {"from": action.by or sender, "value": hex(action.value_wei), "input": "0x" + action.data.hex()}
        request |= {"gas": hex(limit), **({"to": action.to} if action.to else {})}
        return self._transact(request)

    def _probe(self, probe: Probe) -> Outcome:
        if probe.to is None:
            self._call("anvil_setNonce", probe.sender, hex(probe.nonce))
        request = {"from": probe.sender, "input": "0x" + probe.data.hex(), "gas": hex(self.gas)}
        return self._transact({**request, **({"to": probe.to} if probe.to else {})})

    def _transact(self, request: Mapping[str, Any]) -> Outcome:
        """Send it; what it returns is in no receipt, so that it is asked for before, on the same state."""
        # The clock is ours: two runs of one scene must not differ in what the time is.
        self.seen_s += 1
        self._call("evm_setNextBlockTimestamp", hex(self.seen_s))
        asked = self.endpoint.batch([("eth_call", [dict(request), "latest"])])[0]
        # A transaction that fails is mined too: only its receipt says so.
        sent = self.endpoint.batch([("eth_sendTransaction", [{**request, **_FREE}])])[0]
        if isinstance(sent, RpcFault):
            return Outcome(succeeded=False, gas=0, returned=b"", revert=data_or_nothing(sent.data))
        receipt = self._receipt(sent)
        gas = quantity(receipt["gasUsed"])
        if quantity(receipt["status"]) == 1:
            returned = data_or_nothing(asked if request.get("to") else receipt.get("contractAddress"))
            return Outcome(True, gas, returned, b"", [dict(log) for log in receipt["logs"]])
        return Outcome(False, gas, b"", data_or_nothing(asked.data) if isinstance(asked, RpcFault) else b"")

    def _receipt(self, sent: str) -> Mapping[str, Any]:
        deadline_s = self.clock.monotonic_s() + _MINE_S
        while self.clock.monotonic_s() < deadline_s:
            receipt = self._call("eth_getTransactionReceipt", sent)
            if isinstance(receipt, Mapping):
                return receipt
            self.clock.sleep_s(0.01)
        raise RpcUnknown("a transaction was not mined")

    def _read(self, sender: str, to: str, data: bytes) -> Outcome:
        answer = self.endpoint.batch(
            [("eth_call", [{"from": sender, "to": to, "input": "0x" + data.hex()}, "latest"])]
        )[0]
        if isinstance(answer, RpcFault):
            return Outcome(False, 0, data_or_nothing(answer.data), data_or_nothing(answer.data))
        return Outcome(True, 0, data_or_nothing(answer), b"")
