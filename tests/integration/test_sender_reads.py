"""What the engine asks of a node and how often: receipts by block, one fsync a group, gas in flight, the pace of blocks."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chains.evm.looking import ChainChanged
from chains.evm.sending.errors import ActionReverted, StillPending
from chains.evm.sending.signing import FLUSH_AFTER_S
from pipeline.signing.base import Assurance
from pipeline.signing.keystore import LocalKey
from tests.support import fault_proxy as fp
from tests.support.anvil import KEY, Anvil, anvil
from tests.support.contracts import COUNTER, tagged
from tests.support.deployment import Rig
from tests.support.fault_proxy import FaultProxy

BY_HASH, BY_BLOCK = fp.RECEIPTS
OTHER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"


@pytest.fixture
def node() -> Iterator[Anvil]:
    with anvil() as running:
        yield running


@pytest.fixture
def slow() -> Iterator[Anvil]:
    """A node that mines only when told to."""
    with anvil("--no-mining") as running:
        yield running


def _many(node: Anvil, proxy: FaultProxy, path: Path, count: int) -> Rig:
    rig = Rig(node, proxy, path)
    first = rig.workshop.create("First", tagged(COUNTER, 1))
    for number in range(count - 1):
        rig.workshop.call(f"call{number}", first)
    rig.counts = {first: count - 1}
    return rig.seal()


def _mined_when_sent(rig: Rig, count: int) -> threading.Thread:
    """One block, once ``count`` transactions are in the pool."""

    def work() -> None:
        while int(rig.node.call("txpool_status")["pending"], 16) < count:
            time.sleep(0.005)
        rig.node.mine()

    thread = threading.Thread(target=work)
    thread.start()
    return thread


# -- receipts by block ----------------------------------------------------------------------------------------------


def test_receipts_of_many_transactions_in_one_block_are_one_request(slow: Anvil, tmp_path: Path) -> None:
    with fp.fault_proxy(slow.url) as proxy:
        rig = _many(slow, proxy, tmp_path / "j", 40)
        thread = _mined_when_sent(rig, 40)
        rig.run(window=40, resend_after_s=30.0, stuck_after_s=60.0)
        thread.join()
        asked = Counter(proxy.calls)
        assert asked[BY_BLOCK] <= 3
        assert asked[BY_HASH] <= 40 * 3, "only every eighth look asks for each"
        assert asked["eth_getTransactionByHash"] == 0, "and pools are asked about what would be sent again"
        rig.oracles(signatures=40)


@pytest.mark.parametrize("kind", ["refused", "null", "nonsense"])
def test_a_node_without_receipts_by_block_is_asked_for_them_once(slow: Anvil, tmp_path: Path, kind: str) -> None:
    with fp.fault_proxy(slow.url) as proxy:
        rig = _many(slow, proxy, tmp_path / "j", 20)
        answer: Any = {"null": None, "nonsense": {"logs": []}}.get(kind)
        proxy.add(
            fp.rpc_error(-32601, "the method does not exist", BY_BLOCK, times=None)
            if kind == "refused"
            else fp.result(answer, BY_BLOCK, times=None)
        )
        thread = _mined_when_sent(rig, 20)
        rig.run(window=20, stuck_after_s=60.0)
        thread.join()
        assert Counter(proxy.calls)[BY_BLOCK] <= 1
        rig.oracles(signatures=20)


def test_a_block_that_hides_our_receipts_is_no_evidence_against_them(slow: Anvil, tmp_path: Path) -> None:
    """What a block does not show although the nonce is used is asked for by its hash."""
    with fp.fault_proxy(slow.url) as proxy:
        rig = _many(slow, proxy, tmp_path / "j", 20)
        hiding = fp.result([], BY_BLOCK, times=None)
        proxy.add(hiding)
        thread = _mined_when_sent(rig, 20)
        rig.run(window=20, foreign_after_s=60.0, stuck_after_s=60.0, wait_s=5.0)
        thread.join()
        assert hiding.fired
        rig.oracles(signatures=20)


def test_a_block_of_receipts_larger_than_is_read_is_no_end(slow: Anvil, tmp_path: Path) -> None:
    with fp.fault_proxy(slow.url) as proxy:
        rig = _many(slow, proxy, tmp_path / "j", 20)
        proxy.add(fp.oversized(40_000_000, BY_BLOCK, times=None))
        thread = _mined_when_sent(rig, 20)
        rig.run(window=20, patience_s=0.5, stuck_after_s=60.0)
        thread.join()
        rig.oracles(signatures=20)


def test_receipts_by_block_that_are_withheld_together_with_the_others_are_waited_for(
    slow: Anvil, tmp_path: Path
) -> None:
    with fp.fault_proxy(slow.url) as proxy:
        rig = _many(slow, proxy, tmp_path / "j", 20)
        proxy.add(fp.receipts_null(1.0))
        thread = _mined_when_sent(rig, 20)
        rig.run(window=20, foreign_after_s=0.1, stuck_after_s=60.0)
        thread.join()
        rig.oracles(signatures=20)


def test_waiting_for_finality_reads_headers_and_no_receipt_again(slow: Anvil, tmp_path: Path) -> None:
    with fp.fault_proxy(slow.url) as proxy:
        rig = _many(slow, proxy, tmp_path / "j", 20)
        thread = _mined_when_sent(rig, 20)
        with pytest.raises(StillPending):
            rig.run(window=20, finality=5, wait_s=0.5, stuck_after_s=60.0)
        thread.join()
        before = Counter(proxy.calls)
        assert before["eth_chainId"] > 20, "looked at many times"
        assert before[BY_HASH] <= 20 * 4
        slow.mine(5)
        rig.oracles(finality=5, signatures=20)


# -- which chain it is, at each look ---------------------------------------------------------------------------------


def test_12_another_genesis_in_mid_run_stops_before_signing(node: Anvil, tmp_path: Path) -> None:
    """The right chain id, from a node that was reset behind our back without failing once."""
    with anvil("--timestamp", "1000000") as reset, fp.fault_proxy(node.url) as proxy:
        rig = _many(node, proxy, tmp_path / "j", 6)
        watch = proxy.after_send

        def replaced(digest: str) -> None:
            if len(proxy.sent) == 2:
                proxy.target = reset.url

        proxy.after_send = replaced
        with pytest.raises(ChainChanged, match="genesis") as caught:
            rig.run(window=1)
        assert caught.value.exit_code == 3
        assert len(rig.signed()) == 2
        assert reset.nonce() == 0
        proxy.after_send, proxy.target = watch, node.url
        rig.oracles(signatures=6)


# -- one fsync a group ----------------------------------------------------------------------------------------------


def test_a_window_costs_a_handful_of_fsyncs(slow: Anvil, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    syncs = 0
    real = os.fsync

    def fsync(descriptor: int) -> None:
        nonlocal syncs
        syncs += 1
        real(descriptor)

    with fp.fault_proxy(slow.url) as proxy:
        rig = _many(slow, proxy, tmp_path / "j", 40)
        monkeypatch.setattr(os, "fsync", fsync)
        thread = _mined_when_sent(rig, 40)
        rig.run(window=40, stuck_after_s=60.0)
        thread.join()
        assert len(rig.rows()) == 4 * 40
        assert syncs <= 8, "opening, reserved, signed, mined, final"


class _Slow:
    """A key far away: each signature takes a while. ``on_disk`` is how many earlier ones were on disk at each."""

    name = "keystore"
    assurance: Assurance = "service"

    def __init__(self, rig: Rig, each_s: float) -> None:
        self._key = LocalKey(KEY, "development")
        self._rig = rig
        self._each_s = each_s
        self.unflushed: list[int] = []

    @property
    def address(self) -> str:
        return self._key.address

    def sign_digest(self, digest: bytes) -> tuple[int, int]:
        self.unflushed.append(len(self.unflushed) - len(self._rig.signed()))
        time.sleep(self._each_s)
        return self._key.sign_digest(digest)


def test_a_slow_signers_rows_do_not_wait_for_its_last(node: Anvil, tmp_path: Path) -> None:
    each_s = FLUSH_AFTER_S / 4
    with fp.fault_proxy(node.url) as proxy:
        rig = _many(node, proxy, tmp_path / "j", 16)
        slow = _Slow(rig, each_s)
        rig.run(window=16, backend=slow)
        assert len(slow.unflushed) == 16
        assert 1 <= max(slow.unflushed) <= 5
        rig.oracles(signatures=16)


# -- gas in flight --------------------------------------------------------------------------------------------------


def test_no_more_gas_is_in_flight_than_two_blocks_hold(tmp_path: Path) -> None:
    with anvil("--no-mining", "--gas-limit", "1000000") as node, fp.fault_proxy(node.url) as proxy:
        rig = _many(node, proxy, tmp_path / "j", 40)
        with pytest.raises(StillPending):
            rig.run(window=1000, wait_s=0.5, stuck_after_s=60.0)
        in_flight = {row.data["action"] for row in rig.rows() if row.kind == "tx.signed"}
        gas = sum(action.gas_limit for action in rig.plan.actions if action.id in in_flight)
        assert 1_900_000 <= gas <= 2_000_000


@contextlib.contextmanager
def _full_blocks(rig: Rig, gas_each: int, limit: int) -> Iterator[None]:
    """A block as soon as the pool holds what may be in flight, or all that is left: as if blocks were never early."""
    stop = threading.Event()

    def work() -> None:
        while not stop.wait(0.01):
            pending = int(rig.node.call("txpool_status")["pending"], 16)
            left = len(rig.plan.actions) - (rig.node.nonce() - rig.workshop.first)
            if pending and (pending == left or (pending + 1) * gas_each > 2 * limit):
                rig.node.mine()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_200_contracts_take_the_blocks_their_gas_needs_and_two_more(tmp_path: Path) -> None:
    limit, gas_each = 3_000_000, 67_000  # about a fifth above what is used, as planned from a simulation
    with anvil("--no-mining", "--gas-limit", str(limit)) as node, fp.fault_proxy(node.url) as proxy:
        rig = Rig(node, proxy, tmp_path / "j")
        for number in range(200):
            rig.workshop.create(f"c{number}", tagged(COUNTER, number))
        rig.workshop.actions = [replace(action, gas_limit=gas_each) for action in rig.workshop.actions]
        rig.seal()
        with _full_blocks(rig, gas_each, limit):
            states = rig.run(window=1000, resend_after_s=0.5, stuck_after_s=60.0, wait_s=60.0)
        blocks = {state.mined.block_number for state in states.values() if state.mined}
        used = sum(state.mined.gas_used for state in states.values() if state.mined)
        assert max(blocks) - min(blocks) + 1 <= -(-used // limit) + 2
        rig.oracles(signatures=200, window=1000)


# -- a reorganization after FINAL -----------------------------------------------------------------------------------


def test_what_a_deep_reorganization_took_after_final_is_sent_again_by_the_next_run(node: Anvil, tmp_path: Path) -> None:
    with fp.fault_proxy(node.url) as proxy:
        rig = _many(node, proxy, tmp_path / "j", 6)
        rig.run()
        node.call("anvil_reorg", 4, [])
        node.mine()
        assert node.nonce() < rig.workshop.first + 6
        rig.run()
        assert [rig.kinds(a.id).count("tx.final") for a in rig.plan.actions] == [1, 1, 2, 2, 2, 2]
        assert [rig.kinds(a.id).count("tx.reorged") for a in rig.plan.actions] == [0, 0, 1, 1, 1, 1]
        rig.oracles(signatures=6)


def test_one_provider_alone_reopens_nothing_that_another_still_shows(node: Anvil, tmp_path: Path) -> None:
    def another_branch(proxy: FaultProxy, call: dict[str, Any]) -> Any:
        block = proxy.forward(call)["result"]
        made_up = block and call["params"][0] not in {"0x0", "latest"}
        return {**block, "hash": "0x" + "ee" * 32} if made_up else block

    with fp.fault_proxy(node.url) as proxy, fp.fault_proxy(node.url) as second:
        second.before_send = proxy.before_send
        rig = _many(node, proxy, tmp_path / "j", 6)
        rig.others.append(second)
        rig.run()
        data = rig.path.read_bytes()
        proxy.add(fp.result(another_branch, "eth_getBlockByNumber", times=None))
        rig.run()
        assert rig.path.read_bytes() == data


def test_another_chain_reopens_nothing(node: Anvil, tmp_path: Path) -> None:
    """It has other blocks at every height."""
    with anvil("--timestamp", "1000000") as reset, fp.fault_proxy(node.url) as proxy:
        rig = _many(node, proxy, tmp_path / "j", 6)
        rig.run()
        data = rig.path.read_bytes()
        reset.mine(20)
        proxy.target = reset.url
        with pytest.raises(ChainChanged):
            rig.run()
        assert rig.path.read_bytes() == data


def test_a_node_that_lost_its_old_headers_reopens_nothing(node: Anvil, tmp_path: Path) -> None:
    with fp.fault_proxy(node.url) as proxy:
        rig = _many(node, proxy, tmp_path / "j", 6)
        rig.run()
        data = rig.path.read_bytes()
        proxy.add(fp.result(None, "eth_getBlockByNumber", times=None))
        rig.run()
        assert rig.path.read_bytes() == data


# -- why it failed --------------------------------------------------------------------------------------------------


def _second_fails(node: Anvil, proxy: FaultProxy, path: Path) -> Rig:
    """Two calls in one block, of which the second fails because of the first: on the state before it would not."""
    rig = Rig(node, proxy, path)
    runtime = bytes.fromhex("5f54600a5760015f55005b63deadbeef5f526004601cfd")
    place = rig.workshop.create("Once", tagged(runtime, 1))
    rig.workshop.call("first", place)
    rig.workshop.call("second", place)
    return rig.seal()


def test_the_reason_is_that_of_its_own_place_in_the_block(slow: Anvil, tmp_path: Path) -> None:
    with fp.fault_proxy(slow.url) as proxy:
        rig = _second_fails(slow, proxy, tmp_path / "j")
        thread = _mined_when_sent(rig, 3)
        with pytest.raises(ActionReverted) as caught:
            rig.run(stuck_after_s=60.0)
        thread.join()
        assert "0xdeadbeef" in caught.value.cause, "the trace's own output"


def test_a_node_that_cannot_trace_gives_no_reason_from_another_state(slow: Anvil, tmp_path: Path) -> None:
    with fp.fault_proxy(slow.url) as proxy:
        rig = _second_fails(slow, proxy, tmp_path / "j")
        proxy.add(fp.rpc_error(-32601, "the method does not exist", "debug_traceTransaction", times=None))
        thread = _mined_when_sent(rig, 3)
        with pytest.raises(ActionReverted, match="gas used"):
            rig.run(stuck_after_s=60.0)
        thread.join()
        assert "eth_call" not in proxy.calls


def test_a_node_that_cannot_trace_runs_the_first_of_a_block_again(node: Anvil, tmp_path: Path) -> None:
    with fp.fault_proxy(node.url) as proxy:
        rig = _second_fails(node, proxy, tmp_path / "j")
        proxy.add(fp.rpc_error(-32601, "the method does not exist", "debug_traceTransaction", times=None))
        with pytest.raises(ActionReverted, match="0xdeadbeef"):
            rig.run(window=1)
