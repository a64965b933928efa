"""The engine against the fault catalogue (faults.md), on a real anvil, through a proxy that misbehaves on purpose.

Every test ends in ``Rig.oracles``: nonces used = steps planned, nothing sent that was not journaled, one contract a
step, a journal that verifies, and a second run that sends nothing.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from chains.errors import ShipError
from chains.evm.address import create_address
from chains.evm.fees import BaseFeeAboveCap, FeeCaps
from chains.evm.looking import ChainChanged
from chains.evm.sending.errors import ActionReverted, NonceTaken, StillPending, WrongCode
from chains.rpc import RpcDown
from tests.support import fault_proxy as fp
from tests.support.anvil import DEPLOYER, ROOT, Anvil, anvil
from tests.support.contracts import COUNTER, REVERTER, tagged
from tests.support.deployment import Rig, save_for_runner
from tests.support.fault_proxy import SEND, FaultProxy
from tests.support.late import Late

ACTIONS = 6
OTHER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"


@pytest.fixture
def node() -> Iterator[Anvil]:
    with anvil() as running:
        yield running


@pytest.fixture
def proxy(node: Anvil) -> Iterator[FaultProxy]:
    with fp.fault_proxy(node.url) as running:
        yield running


@pytest.fixture
def rig(node: Anvil, proxy: FaultProxy, tmp_path: Path) -> Rig:
    return Rig(node, proxy, tmp_path / "journal.jsonl").usual()


def test_without_faults_each_transaction_is_signed_and_sent_once(rig: Rig) -> None:
    rig.run()
    assert len(rig.proxy.sent) == len(set(rig.proxy.sent)) == ACTIONS
    assert rig.sender
    assert rig.sender.sent == ACTIONS
    rig.oracles(signatures=ACTIONS)


@pytest.mark.parametrize(("window", "at"), [(1, 0), (1, 2), (1, 5), (16, 0), (16, 3)])
@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda at: fp.drop_before(SEND, after=at), id="1 drop before"),
        pytest.param(lambda at: fp.drop_after(SEND, after=at), id="2 drop after"),
        pytest.param(lambda at: fp.http_status(429, SEND, after=at), id="3 HTTP 429 before"),
        pytest.param(lambda at: fp.http_status(503, SEND, after=at, forwarded=True), id="4 HTTP 503 after"),
        pytest.param(lambda at: fp.rpc_error(-32000, "nonce too low", SEND, after=at), id="5 false nonce too low"),
        pytest.param(lambda at: fp.rpc_error(-32000, "already known", SEND, after=at), id="5 false already known"),
        pytest.param(
            lambda at: fp.rpc_error(-32603, "internal", SEND, after=at, forwarded=True), id="5 error, but sent"
        ),
        pytest.param(lambda at: fp.duplicate(SEND, times=None), id="6 duplicate"),
        pytest.param(lambda at: fp.swallow(after=at), id="7 swallowed"),
        pytest.param(lambda at: fp.truncated(SEND, after=at), id="truncated"),
        pytest.param(lambda at: fp.garbage(SEND, after=at), id="garbage"),
        pytest.param(lambda at: fp.wrong_id(SEND, after=at), id="wrong id"),
    ],
)
def test_faults_1_to_7_end_well_with_the_same_bytes(
    rig: Rig, make: Callable[[int], fp.Rule], at: int, window: int
) -> None:
    rule = make(at)
    rig.proxy.add(rule)
    rig.run(window=window)
    assert rule.fired
    # No fault of the wire is a reason to sign again.
    rig.oracles(signatures=ACTIONS)


@pytest.mark.parametrize("status", [429, 502, 503])
def test_3_a_busy_node_is_asked_again_for_reads_too(rig: Rig, status: int) -> None:
    rig.proxy.add(fp.http_status(status, times=3))
    rig.run()
    rig.oracles(signatures=ACTIONS)


def test_8_receipts_withheld_for_long_are_waited_for(rig: Rig) -> None:
    # Far longer than a used nonce without a receipt is left unquestioned (foreign_after_s).
    rig.proxy.add(fp.receipts_null(2.0))
    rig.run(foreign_after_s=0.1, stuck_after_s=0.3)
    rig.oracles(signatures=ACTIONS)


def test_8_receipts_withheld_for_good_stop_the_run_resumably(rig: Rig) -> None:
    rig.proxy.add(fp.result(None, *fp.RECEIPTS, times=None))
    with pytest.raises(StillPending) as caught:
        rig.run(foreign_after_s=0.1, wait_s=1.0)
    assert caught.value.exit_code == 3
    rig.oracles(signatures=ACTIONS)


def test_9_a_frozen_nonce_makes_no_second_signature(rig: Rig) -> None:
    rig.proxy.add(fp.result(hex(rig.workshop.first), "eth_getTransactionCount", times=None))
    rig.run(window=1)
    rig.oracles(signatures=ACTIONS)


def test_9_a_frozen_nonce_and_no_receipts_never_make_another_payload(rig: Rig) -> None:
    rig.proxy.add(
        fp.result(hex(rig.workshop.first), "eth_getTransactionCount", times=None),
        fp.result(None, *fp.RECEIPTS, "eth_getTransactionByHash", times=None),
    )
    with pytest.raises(StillPending):
        rig.run(wait_s=2.0)
    rig.oracles()


def test_10_a_lagging_head_delays_finality(rig: Rig) -> None:
    lag = fp.stale_head(3)
    rig.proxy.add(lag)
    with pytest.raises(StillPending):
        rig.run(wait_s=1.0, finality=2)
    assert "tx.final" not in rig.kinds("three")
    rig.node.mine(6)
    rig.run(wait_s=10.0, finality=2)
    rig.oracles()


def test_11_another_chain_id_in_mid_run_stops_before_signing(rig: Rig) -> None:
    rig.proxy.add(fp.result("0x1", "eth_chainId", times=None, after=3))
    with pytest.raises(ChainChanged) as caught:
        rig.run(window=1)
    assert caught.value.exit_code == 3
    assert len(rig.signed()) < ACTIONS
    rig.oracles(signatures=ACTIONS)


def test_11_at_the_first_look_nothing_is_signed(rig: Rig) -> None:
    rig.proxy.add(fp.result("0x1", "eth_chainId", times=None))
    with pytest.raises(ChainChanged):
        rig.run()
    assert rig.signed() == rig.proxy.sent == []
    rig.oracles(signatures=ACTIONS)


def _foreign(node: Anvil, count: int = 1) -> None:
    """Somebody else signs with the deployer's key."""
    for _ in range(count):
        node.send(**{"from": DEPLOYER, "to": OTHER, "value": "0x1"})


@pytest.mark.parametrize("window", [1, 16])
def test_15_a_nonce_taken_before_signing_halts_for_a_person(rig: Rig, window: int) -> None:
    _foreign(rig.node)
    with pytest.raises(NonceTaken) as caught:
        rig.run(window=window)
    assert caught.value.exit_code == 4
    assert rig.kinds("First")[-1] == "tx.foreign"
    assert rig.proxy.sent == []
    with pytest.raises(NonceTaken):
        rig.run(window=window)
    assert rig.proxy.sent == []


def test_15_a_nonce_taken_between_signing_and_sending_halts_for_a_person(rig: Rig) -> None:
    rig.proxy.add(fp.swallow(times=None))
    with pytest.raises(StillPending):
        rig.run(window=1, wait_s=0.3)
    _foreign(rig.node)
    rig.proxy.clear()
    with pytest.raises(NonceTaken) as caught:
        rig.run(window=1)
    assert caught.value.exit_code == 4
    assert "was used by 0x" in caught.value.cause
    assert rig.node.nonce() == rig.workshop.first + 1


def test_15_one_wrong_nonce_is_no_evidence(rig: Rig) -> None:
    """A node that counts too high for a while: whatever the count says, no block shows a foreign transaction."""
    rig.proxy.add(fp.result("0x63", "eth_getTransactionCount", times=40))
    rig.run(foreign_after_s=0.05)
    rig.oracles(signatures=ACTIONS)


def _base_fee(node: Anvil, wei: int) -> None:
    node.call("anvil_setNextBlockBaseFeePerGas", hex(wei))


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[Rig]:
    """A node that mines only when told to."""
    with anvil("--no-mining") as node, fp.fault_proxy(node.url) as proxy:
        yield Rig(node, proxy, tmp_path / "journal.jsonl").usual()


@contextlib.contextmanager
def mining(node: Anvil, when: Callable[[], bool]) -> Iterator[None]:
    """Mine whenever ``when`` says so, on the side."""
    stop = threading.Event()

    def work() -> None:
        while not stop.wait(0.03):
            if when():
                node.mine()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_16_a_spike_of_the_base_fee_is_bumped_over_under_the_cap(slow: Rig) -> None:
    slow.caps = FeeCaps(max_fee_wei=10**12)

    def high() -> bool:
        """Blocks come, and their base fee stays where the first offer does not reach."""
        if slow.proxy.sent:
            _base_fee(slow.node, 20 * 10**9)
        return bool(slow.proxy.sent)

    with mining(slow.node, high):
        slow.run(stuck_after_s=0.3)
        slow.oracles()
    assert slow.kinds("First").count("tx.signed") > 1
    fees = [row.data["fees"] for row in slow.rows() if row.kind == "tx.signed" and row.data["action"] == "First"]
    for before, after in itertools.pairwise(fees):
        for name in before:
            assert after[name] * 10 >= before[name] * 11, "a replacement needs 10 % more of both"
    assert all(f["max_fee_per_gas_wei"] <= 10**12 for f in fees)


def test_16_above_the_cap_the_run_stops_resumably(slow: Rig) -> None:
    slow.caps = FeeCaps(max_fee_wei=3 * 10**9)
    _base_fee(slow.node, 50 * 10**9)
    slow.node.mine()
    with pytest.raises(BaseFeeAboveCap) as caught:
        slow.run()
    assert caught.value.exit_code == 3
    assert slow.proxy.sent == []


def test_16_a_stuck_transaction_at_the_cap_stops_resumably_and_is_not_paid_above_it(slow: Rig) -> None:
    slow.caps = FeeCaps(max_fee_wei=3 * 10**9)
    with pytest.raises(StillPending) as caught:
        slow.run(wait_s=2.0, stuck_after_s=0.1)
    assert caught.value.exit_code == 3
    fees = [row.data["fees"]["max_fee_per_gas_wei"] for row in slow.rows() if row.kind == "tx.signed"]
    assert max(fees) <= 3 * 10**9
    with mining(slow.node, lambda: True):
        slow.oracles()


def test_16_replacements_do_not_keep_a_run_alive_for_ever_nor_pass_the_plans_cost(slow: Rig) -> None:
    """Without a cap on the fee the cost of the whole plan still bounds the bumps, and bumping is not progress."""
    slow.caps = FeeCaps(max_cost_wei=10**16)
    with pytest.raises(StillPending):
        slow.run(wait_s=2.0, stuck_after_s=0.02)
    signed = [row.data for row in slow.rows() if row.kind == "tx.signed" and row.data["action"] == "First"]
    assert len(signed) > 3
    limit = slow.plan.actions[0].gas_limit
    assert max(s["fees"]["max_fee_per_gas_wei"] for s in signed) * limit <= 10**16
    with mining(slow.node, lambda: True):
        slow.oracles()


def test_17_the_original_mines_after_a_bump_and_is_adopted(slow: Rig) -> None:
    """The replacement never reaches the node; the receipt is the first attempt's."""
    window = 1
    slow.proxy.add(fp.swallow(times=None, after=1))

    def bumped() -> bool:
        return slow.kinds("First").count("tx.signed") > 1

    with mining(slow.node, bumped):
        with pytest.raises(StillPending):
            slow.run(window=window, stuck_after_s=0.2, wait_s=1.5)
        final = [row for row in slow.rows() if row.kind == "tx.final"]
        signed = slow.signed()
        assert final[0].data["hash"] == signed[0] == slow.proxy.sent[0]
        assert signed[1] != signed[0]
        slow.oracles()


def test_18_a_mined_revert_is_recorded_and_not_retried(node: Anvil, proxy: FaultProxy, tmp_path: Path) -> None:
    rig = Rig(node, proxy, tmp_path / "j")
    bad = rig.workshop.create("Bad", tagged(REVERTER, 1))
    rig.workshop.call("fails", bad)
    rig.workshop.create("Later", tagged(COUNTER, 2))
    rig.seal()
    with pytest.raises(ActionReverted) as caught:
        rig.run(window=1)
    assert caught.value.exit_code == 4
    assert "reverted without a reason" in caught.value.cause or "gas used" in caught.value.cause
    assert rig.kinds("fails")[-1] == "tx.reverted"
    assert rig.kinds("Later") == []
    sent = len(proxy.sent)
    with pytest.raises(ActionReverted):
        rig.run(window=1)
    assert len(proxy.sent) == sent
    assert node.nonce() == rig.workshop.first + 2


def test_18_what_was_in_flight_behind_a_revert_is_settled_before_the_run_halts(
    node: Anvil, proxy: FaultProxy, tmp_path: Path
) -> None:
    rig = Rig(node, proxy, tmp_path / "j")
    bad = rig.workshop.create("Bad", tagged(REVERTER, 1))
    rig.workshop.call("fails", bad)
    rig.workshop.create("Later", tagged(COUNTER, 2))
    rig.seal()
    with pytest.raises(ActionReverted):
        rig.run(window=16)
    assert [rig.kinds(a)[-1] for a in ("Bad", "fails", "Later")] == ["tx.final", "tx.reverted", "tx.final"]


def test_22_wrong_runtime_code_is_never_final(rig: Rig) -> None:
    first = rig.plan.actions[0].address

    def wrong(proxy: FaultProxy, call: dict[str, Any]) -> Any:
        return "0x6001" if call["params"][0] == first else proxy.forward(call)["result"]

    rig.proxy.add(fp.result(wrong, "eth_getCode", times=None))
    with pytest.raises(WrongCode) as caught:
        rig.run()
    assert caught.value.exit_code == 4
    assert str(first) in caught.value.cause
    assert "tx.final" not in rig.kinds("First")
    rig.oracles(signatures=ACTIONS)


def test_22_code_that_is_only_late_is_waited_for(rig: Rig) -> None:
    rig.proxy.add(fp.result("0x", "eth_getCode", times=8))
    rig.run(foreign_after_s=0.2)
    rig.oracles(signatures=ACTIONS)


def test_14_a_reorg_after_mining_is_sent_again_and_ends_final(rig: Rig) -> None:
    with pytest.raises(StillPending):
        rig.run(finality=50, wait_s=0.5)
    assert rig.kinds("three")[-1] == "tx.mined"
    rig.node.call("anvil_reorg", 4, [])
    rig.node.mine()
    with mining(rig.node, lambda: True):
        rig.run(finality=5)
    assert any("tx.reorged" in rig.kinds(a.id) for a in rig.plan.actions)
    rig.oracles(signatures=ACTIONS)


def test_14_a_receipt_that_is_merely_gone_is_no_reorg(rig: Rig) -> None:
    with pytest.raises(StillPending):
        rig.run(finality=50, wait_s=0.3)
    rows = len(rig.rows())
    rig.proxy.add(fp.result(None, *fp.RECEIPTS, times=None, chance=0.5))
    with pytest.raises(StillPending):
        rig.run(finality=50, wait_s=1.0)
    assert len(rig.rows()) == rows
    rig.oracles(signatures=ACTIONS)


def test_receipts_of_other_transactions_and_of_no_shape_are_no_receipts(rig: Rig) -> None:
    for made_up in ({}, {"status": "0x1"}, [], "0x1", {"transactionHash": None, "status": "0x0", "blockNumber": "0x1"}):
        rig.proxy.add(fp.result(made_up, "eth_getTransactionReceipt", times=2))

    def anothers(proxy: FaultProxy, call: dict[str, Any]) -> Any:
        return proxy.forward({**call, "params": [proxy.sent[0]]})["result"]

    rig.proxy.add(fp.result(anothers, "eth_getTransactionReceipt", times=4))
    rig.run(window=1)
    rig.oracles(signatures=ACTIONS)


@pytest.mark.parametrize("rule", [fp.truncated, fp.garbage, fp.wrong_id, lambda **k: fp.oversized(40_000_000, **k)])
def test_71_reads_that_make_no_sense_are_read_again(rig: Rig, rule: Callable[..., fp.Rule]) -> None:
    rig.proxy.add(rule(times=3))
    rig.run()
    rig.oracles(signatures=ACTIONS)


def test_a_node_that_stays_away_stops_the_run_resumably(rig: Rig) -> None:
    rig.proxy.add(fp.drop_before(times=None, after=12))
    with pytest.raises(RpcDown) as caught:
        rig.run(window=1, patience_s=0.3)
    assert caught.value.exit_code == 3
    rig.oracles(signatures=ACTIONS)


@pytest.mark.parametrize("seed", range(5))
def test_a_storm_of_everything_ends_well(node: Anvil, tmp_path: Path, seed: int) -> None:
    with fp.fault_proxy(node.url, seed) as proxy:
        rig = Rig(node, proxy, tmp_path / "j").usual()
        rig.proxy.add(*fp.storm())
        with contextlib.suppress(StillPending, RpcDown):
            rig.run(wait_s=15.0, window=random.Random(seed).choice([1, 3, 16]))
        rig.oracles()


# -- 24: killed anywhere -------------------------------------------------------------------------------------------


class Killed(BaseException):
    """The process ends here."""


class Mortal:
    """A journal whose process dies right before or right after its n-th row."""

    def __init__(self, journal: Any, at: int, after: bool) -> None:
        self._journal = journal
        self._at = at
        self._after = after
        self._count = 0

    @property
    def rows(self) -> Any:
        return self._journal.rows

    def append(self, kind: str, data: Any) -> Any:
        self._count += 1
        if self._count == self._at and not self._after:
            raise Killed
        row = self._journal.append(kind, data)
        if self._count == self._at:
            raise Killed
        return row

    def append_all(self, entries: Any) -> Any:
        """A group is one write, and yet can be cut off behind any of its rows."""
        return [self.append(kind, data) for kind, data in entries]


@pytest.mark.parametrize("window", [2, 16])
def test_24_death_before_and_after_every_row(tmp_path: Path, window: int) -> None:
    """With one node and many journals: each plan starts at the nonce the last one ended with."""
    boundaries = 0
    with anvil() as node, fp.fault_proxy(node.url) as proxy:
        for at in range(1, 4 * ACTIONS + 1):
            for after in (False, True):
                rig = Rig(node, proxy, tmp_path / f"{at}-{after}")
                first = rig.workshop.create("First", tagged(COUNTER, 1))
                rig.workshop.create("Second", tagged(COUNTER, 2))
                for name in ("one", "two", "three", "four"):
                    rig.workshop.call(name, first)
                rig.counts = {first: 4}
                rig.seal()

                def mortal(journal: Any, at: int = at, after: bool = after) -> Mortal:
                    return Mortal(journal, at, after)

                with pytest.raises(Killed):
                    rig.run(wrap=mortal, window=window)
                rig.oracles(signatures=ACTIONS)
                boundaries += 1
    assert boundaries == 48


def _start(rig: Rig, saved: Path, window: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.support.runner", saved, rig.path, rig.proxy.url, str(window)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
    )


def _end(process: subprocess.Popen[bytes]) -> int:
    _, errors = process.communicate(timeout=60)
    assert process.returncode in {0, -signal.SIGKILL}, errors.decode()
    return process.returncode


@pytest.mark.parametrize("when", ["before", "after"])
def test_24_sigkill_right_before_and_after_each_send(rig: Rig, tmp_path: Path, when: str) -> None:
    save_for_runner(rig, tmp_path / "plan.json")
    deaths = 0
    killed: set[str] = set()
    current: list[subprocess.Popen[bytes]] = []
    watch = rig.proxy.before_send
    assert watch

    def die(digest: str) -> None:
        if digest not in killed:
            killed.add(digest)
            current[0].send_signal(signal.SIGKILL)
            raise fp.Drop

    def before(digest: str) -> None:
        watch(digest)
        if when == "before":
            die(digest)

    rig.proxy.before_send = before
    rig.proxy.after_send = die if when == "after" else None
    for _ in range(2 * ACTIONS + 1):
        current[:] = [_start(rig, tmp_path / "plan.json", 1)]
        if _end(current[0]) == 0:
            break
        deaths += 1
    assert deaths == ACTIONS
    rig.proxy.before_send, rig.proxy.after_send = watch, None
    rig.oracles(signatures=ACTIONS)


def test_24_sigkill_at_random_moments(tmp_path: Path) -> None:
    generator = random.Random(24)
    with anvil("--block-time", "1") as node, fp.fault_proxy(node.url) as proxy:
        rig = Rig(node, proxy, tmp_path / "j").usual()
        save_for_runner(rig, tmp_path / "plan.json")
        deaths = 0
        for _ in range(40):
            rows = len(rig.rows())
            process = _start(rig, tmp_path / "plan.json", generator.choice([1, 16]))
            # Killed some moments after it has begun to work: the interpreter's start is no interesting time.
            while process.poll() is None and len(rig.rows()) == rows and not proxy.calls:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(0.005)
            proxy.calls.clear()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(generator.uniform(0, 0.12))
            process.kill()
            if _end(process) == 0:
                break
            deaths += 1
        assert deaths >= 3
        rig.oracles(signatures=ACTIONS)


# -- the oracles can fail ------------------------------------------------------------------------------------------


def test_control_a_journal_written_after_sending_fails_the_oracles(rig: Rig) -> None:
    rig.run(wrap=Late)
    with pytest.raises(AssertionError, match="O2"):
        rig.oracles()


def test_control_a_second_signature_for_the_same_step_fails_the_oracles(rig: Rig) -> None:
    """An engine that forgets what it signed deploys twice."""
    rig.run()
    rig.path.unlink()
    rig.workshop.actions.clear()
    again = Rig(rig.node, rig.proxy, rig.path)
    again.workshop.first = rig.workshop.first
    again.usual()
    with pytest.raises((AssertionError, ShipError)):
        again.oracles(wait_s=1.0, foreign_after_s=0.1)


def test_addresses_are_those_predicted(rig: Rig) -> None:
    rig.run()
    assert rig.plan.actions[0].address == create_address(DEPLOYER, rig.workshop.first)
