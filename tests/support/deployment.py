"""One hand-made plan carried out by the real engine through the fault proxy, and the oracles of faults.md."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from chains.base import SystemClock
from chains.evm.actions import EvmPlan
from chains.evm.chain import EvmChain
from chains.evm.fees import FeeCaps
from chains.evm.identity import ChainIdentity
from chains.evm.lifecycle import TxState
from chains.evm.pricing import EvmPolicy
from chains.evm.sender import Sender
from chains.rpc import Endpoint, Rpc
from pipeline.journal import Journal, read_rows
from pipeline.signing.base import EvmSigner
from pipeline.signing.keystore import LocalKey
from pipeline.signing.policy import PlanPolicy
from tests.support.anvil import DEPLOYER, KEY, Anvil
from tests.support.contracts import COUNTER, Workshop, tagged
from tests.support.fault_proxy import FaultProxy

CHAIN_ID = 31337
FAST: dict[str, Any] = {
    "finality": 1,
    "window": 16,
    "wait_s": 20.0,
    "poll_s": 0.01,
    "resend_after_s": 0.15,
    "stuck_after_s": 0.6,
    "foreign_after_s": 0.3,
}


class Quiet:
    """Progress for nobody."""

    def item(self, item: str, state: str, note: str = "") -> None:
        pass

    def note(self, text: str) -> None:
        pass


def make_sender(
    urls: str | list[str],
    plan: EvmPlan,
    digest: str,
    journal: Any,
    workshop: Workshop,
    *,
    caps: FeeCaps,
    **settings: Any,
) -> Sender:
    """The sender as ``EvmChain`` builds it, at the pace of a test."""
    chosen = {**FAST, **settings}
    timeout_s = chosen.pop("timeout_s", 5.0)
    endpoints = [Endpoint(url, timeout_s=timeout_s) for url in ([urls] if isinstance(urls, str) else urls)]
    submit = [Endpoint(url, timeout_s=timeout_s) for url in chosen.pop("submit", [])]
    fallback = chosen.pop("submit_fallback", False)
    rpc = Rpc(endpoints, submit=submit, submit_fallback=fallback, patience_s=chosen.pop("patience_s", 10.0))
    identity = ChainIdentity("test", CHAIN_ID, plan.chain["genesis_hash"], "ether", 0.0)
    policy = EvmPolicy(caps, chosen["finality"], chosen["window"], 20, chosen["wait_s"])
    chain = EvmChain(rpc, identity, policy, SystemClock(), Quiet())
    signer = EvmSigner(chosen.pop("backend", LocalKey(KEY, "development")), PlanPolicy.of(plan))
    sender = chain.sender(plan, digest, journal, signer, workshop.source)
    sender.settings = replace(sender.settings, **chosen)
    return sender


@dataclass
class Rig:
    """A plan, its journal, the node and the proxy before it."""

    node: Anvil
    proxy: FaultProxy
    path: Path
    caps: FeeCaps = field(default_factory=FeeCaps)
    workshop: Workshop = field(init=False)
    plan: EvmPlan = field(init=False)
    digest: str = field(init=False)
    unjournaled: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    sender: Sender | None = None
    others: list[FaultProxy] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.workshop = Workshop(DEPLOYER, self.node.nonce())
        for proxy in (self.proxy, *self.others):
            proxy.before_send = self._watch

    def usual(self) -> Rig:
        """Six actions: two contracts, one by CREATE2, and three calls that count."""
        first = self.workshop.create("First", tagged(COUNTER, 1))
        second = self.workshop.create("Second", tagged(COUNTER, 2))
        self.workshop.call("one", first)
        third = self.workshop.create("Third", tagged(COUNTER, 3), salt=b"\x01" * 32)
        self.workshop.call("two", first)
        self.workshop.call("three", third)
        self.counts = {first: 2, second: 0, third: 1}
        return self.seal()

    def seal(self) -> Rig:
        genesis = self.node.call("eth_getBlockByNumber", "0x0", False)["hash"]
        self.plan, self.digest = self.workshop.plan(CHAIN_ID, genesis, self.node.number())
        return self

    def _watch(self, digest: str) -> None:
        """O2, at the moment the bytes leave for the node: is their hash on disk?"""
        if digest not in self.signed():
            self.unjournaled.append(digest)

    def rows(self) -> list[Any]:
        return read_rows(self.path, self.path.read_bytes())[0] if self.path.exists() else []

    def kinds(self, action: str) -> list[str]:
        return [row.kind for row in self.rows() if row.data.get("action") == action]

    def signed(self) -> list[str]:
        return [row.data["hash"] for row in self.rows() if row.kind == "tx.signed"]

    def run(self, wrap: Callable[[Journal], Any] = lambda journal: journal, **settings: Any) -> dict[str, TxState]:
        journal = Journal(self.path)
        try:
            self.sender = make_sender(
                [p.url for p in (self.proxy, *self.others)],
                self.plan,
                self.digest,
                wrap(journal),
                self.workshop,
                caps=self.caps,
                **settings,
            )
            return self.sender.run()
        finally:
            journal.close()

    def oracles(self, signatures: int | None = None, **settings: Any) -> None:
        """O1–O4 and O7: after the faults are gone, the run ends well, once, and the next sends nothing."""
        for proxy in (self.proxy, *self.others):
            proxy.clear()
        states = self.run(**settings)
        assert all(state.stage == "final" for state in states.values())
        assert self.node.nonce() - self.workshop.first == len(self.plan.actions), "O1"
        assert self.unjournaled == [], "O2"
        assert any(proxy.sent for proxy in (self.proxy, *self.others)), "O2 was held against nothing"
        for action in self.plan.actions:
            if action.address and action.source:
                assert self.node.code(action.address) == self.workshop.source(action.source).runtime_code, "O3"
        for address, count in self.counts.items():
            assert int(self.node.call("eth_getStorageAt", address, "0x0", "latest"), 16) == count, "O3"
        data = self.path.read_bytes()
        assert read_rows(self.path, data)[2] == len(data), "O4"
        sent = sum(len(proxy.sent) for proxy in (self.proxy, *self.others))
        self.run(**settings)
        assert sum(len(proxy.sent) for proxy in (self.proxy, *self.others)) == sent, "O7"
        assert self.path.read_bytes() == data, "O7"
        if signatures is not None:
            assert len(self.signed()) == signatures


def save_for_runner(rig: Rig, path: Path) -> None:
    """What ``tests/support/runner.py`` needs, in one file."""
    sources = {name: made.runtime_code.hex() for name, made in rig.workshop.artifacts.items()}
    path.write_text(json.dumps({"plan": rig.plan.to_json(), "digest": rig.digest, "sources": sources}))
