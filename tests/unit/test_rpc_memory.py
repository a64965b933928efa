"""What was asked a moment ago is not asked again, and nothing older is believed."""

from __future__ import annotations

from typing import Any

from chains.rpc import RpcFault
from chains.rpc_memory import Recent


class Clock:
    now_s = 100.0

    def monotonic_s(self) -> float:
        return self.now_s

    def sleep_s(self, seconds: float) -> None:
        self.now_s += seconds


NONCE: tuple[str, list[Any]] = ("eth_getTransactionCount", ["0xabc", "latest"])
HEAD: tuple[str, list[Any]] = ("eth_getBlockByNumber", ["latest", False])


def test_an_answer_is_found_while_it_is_young() -> None:
    clock, node = Clock(), object()
    recent = Recent(clock)
    recent.keep(node, [NONCE, HEAD], ["0x5", {"number": "0x1"}])
    clock.sleep_s(0.9)
    assert recent.find(node, [HEAD, NONCE], 1.0) == [{"number": "0x1"}, "0x5"]
    clock.sleep_s(0.2)
    assert recent.find(node, [NONCE], 1.0) is None


def test_only_of_the_endpoint_that_gave_it_and_only_if_all_are_there() -> None:
    clock, node, other = Clock(), object(), object()
    recent = Recent(clock)
    recent.keep(node, [NONCE], ["0x5"])
    assert recent.find(other, [NONCE], 1.0) is None
    assert recent.find(node, [NONCE, HEAD], 1.0) is None
    assert recent.find(node, [("eth_getTransactionCount", ["0xdef", "latest"])], 1.0) is None


def test_a_fault_is_not_remembered() -> None:
    clock, node = Clock(), object()
    recent = Recent(clock)
    recent.keep(node, [NONCE], [RpcFault(-32603, "busy")])
    assert recent.find(node, [NONCE], 1.0) is None
