"""The fault proxy in front of a Solana node: the faults that are Solana's own. Those that name their methods (``drop_before``,
``drop_after``, ``delay``, ``duplicate``, ``http_status``, ``result`` …) are taken from ``fault_proxy`` as they are.

    proxy.add(drop_after(SEND, times=1), swallow_send(after=3))

WebSocket goes past it, to the node.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from solders.transaction import VersionedTransaction

from tests.support.fault_proxy import Answer, Call, FaultProxy, Rule, fault, ok, served

__all__ = [
    "SEND",
    "SolanaProxy",
    "already_processed",
    "at",
    "expired_before_send",
    "forked_away",
    "frozen",
    "solana_proxy",
    "stale",
    "step_of",
    "swallow_send",
]

SEND = "sendTransaction"


def signature_of(call: Call) -> str:
    """The signature of the transaction in a send."""
    config = call["params"][1] if len(call["params"]) > 1 else {}
    assert config.get("encoding") == "base64", "the proxy reads sends in base64"
    return str(VersionedTransaction.from_bytes(base64.b64decode(call["params"][0])).signatures[0])


_STEPS = {0: "create", 1: "write", 2: "deploy", 3: "upgrade", 4: "handover", 6: "extend", 9: "extend"}


def step_of(call: Call) -> str:
    """What a send is for, by the loader's instruction in it; ``call`` for any other."""
    message = VersionedTransaction.from_bytes(base64.b64decode(call["params"][0])).message
    for one in message.instructions:
        if str(message.account_keys[one.program_id_index]) == "BPFLoaderUpgradeab1e11111111111111111111111":
            return _STEPS[bytes(one.data)[0]]
    return "call"


@dataclass
class _AtStep(Rule):
    step: str = ""

    def wants(self, call: Call, draw: float) -> bool:
        return call["method"] == SEND and step_of(call) == self.step and super().wants(call, draw)


def at(step: str, rule: Rule) -> Rule:
    """``rule``, counting only the sends of one step. Given to several proxies it fires as often in all as in one."""
    return _AtStep(rule.name, rule.methods, rule.act, rule.times, rule.chance, rule.after, step=step)


@dataclass
class SolanaProxy(FaultProxy):
    """``sent`` logs the signature of every transaction that reached the node (oracle O2), in order, repeats included."""

    def forward(self, call: Call) -> Answer:
        if call["method"] != SEND:
            return super().forward(call)
        signature = signature_of(call)
        with self._lock:
            self.sent.append(signature)
        if self.before_send:
            self.before_send(signature)
        answer = super().forward(call)
        if self.after_send:
            self.after_send(signature)
        return answer

    def admin(self, method: str, *params: Any) -> Any:
        """One of the node's own methods for tests."""
        return super().forward({"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)})["result"]


def _admin(proxy: FaultProxy, method: str, *params: Any) -> None:
    assert isinstance(proxy, SolanaProxy)
    proxy.admin(method, *params)


def swallow_send(times: int | None = 1, chance: float = 1.0, after: int = 0) -> Rule:
    """A send that is answered with its signature and goes nowhere."""

    def act(proxy: FaultProxy, call: Call) -> Answer:
        return ok(call, signature_of(call))

    return Rule("swallow", (SEND,), act, times, chance, after)


def expired_before_send(times: int | None = 1, after: int = 0) -> Rule:
    """The blockhash expires on the way to the node."""

    def act(proxy: FaultProxy, call: Call) -> Answer:
        _admin(proxy, "ship_expireBlockhashes")
        return proxy.forward(call)

    return Rule("expired before send", (SEND,), act, times, after=after)


def already_processed(times: int | None = 1, after: int = 0) -> Rule:
    """Delivered twice, the second time a slot later; the node's complaint about the second is the answer."""

    def act(proxy: FaultProxy, call: Call) -> Answer:
        proxy.forward(call)
        _admin(proxy, "ship_advance", 1)
        return proxy.forward(call)

    return Rule("already processed", (SEND,), act, times, after=after)


def forked_away(blocks: int = 1, times: int | None = 1, after: int = 0) -> Rule:
    """Processed, its signature given out, and the fork it was in left."""

    def act(proxy: FaultProxy, call: Call) -> Answer:
        answer = proxy.forward(call)
        _admin(proxy, "ship_rollback", blocks)
        return answer

    return Rule("forked away", (SEND,), act, times, after=after)


def stale(*methods: str, times: int | None = None) -> Rule:
    """A node far behind: whatever commitment is asked for, it has seen only what is final."""

    def act(proxy: FaultProxy, call: Call) -> Answer:
        params = [{**p, "commitment": "finalized"} if isinstance(p, dict) else p for p in call.get("params") or []]
        return proxy.forward({**call, "params": params})

    return Rule("stale", methods, act, times)


def frozen(*methods: str, times: int | None = None) -> Rule:
    """The first answer of each method again and again, as from a node that has stopped following the cluster."""
    first: dict[str, Any] = {}

    def act(proxy: FaultProxy, call: Call) -> Answer:
        if call["method"] not in first:
            answer = proxy.forward(call)
            if "result" not in answer:
                return fault(call, answer["error"]["code"], answer["error"]["message"])
            first[call["method"]] = answer["result"]
        return ok(call, first[call["method"]])

    return Rule("frozen", methods, act, times)


@contextmanager
def solana_proxy(target: str, seed: int = 0) -> Iterator[SolanaProxy]:
    """A proxy on a free loopback port."""
    with served(SolanaProxy(target, seed)) as proxy:
        yield proxy
