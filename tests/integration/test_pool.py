"""Several providers of one chain: who is asked, who is believed, and what two have to say together (design law 3).

Every provider is a fault proxy of its own before the same real anvil; the forked one of fault 13 is an anvil of its own.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chains.evm.identity import ProvidersDisagree
from chains.evm.node import WrongChain
from chains.evm.sending.errors import ActionReverted, NonceTaken, StillPending
from chains.rpc import RpcDown
from tests.integration.test_chain import chain as make_chain
from tests.integration.test_chain import plan as make_plan
from tests.support import fault_proxy as fp
from tests.support.anvil import DEPLOYER, Anvil, anvil
from tests.support.contracts import COUNTER, REVERTER, tagged
from tests.support.deployment import Rig
from tests.support.fault_proxy import SEND, FaultProxy

ACTIONS = 6
OTHER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
BLOCK = "eth_getBlockByNumber"


@pytest.fixture
def node() -> Iterator[Anvil]:
    with anvil() as running:
        yield running


@pytest.fixture
def first(node: Anvil) -> Iterator[FaultProxy]:
    with fp.fault_proxy(node.url) as running:
        yield running


@pytest.fixture
def second(node: Anvil) -> Iterator[FaultProxy]:
    with fp.fault_proxy(node.url) as running:
        yield running


@pytest.fixture
def rig(node: Anvil, first: FaultProxy, second: FaultProxy, tmp_path: Path) -> Rig:
    return Rig(node, first, tmp_path / "journal.jsonl", others=[second]).usual()


def _another_hash(proxy: FaultProxy, call: dict[str, Any]) -> Any:
    """A provider on another branch: every block it is asked for by number has another hash."""
    block = proxy.forward(call)["result"]
    return {**block, "hash": "0x" + "ee" * 32} if call["params"][0].startswith("0x") and block else block


def test_the_second_provider_is_asked_for_conclusions_only(rig: Rig) -> None:
    """One batch when something is final; nothing while it is only watched."""
    rig.run()
    assert rig.sender
    here, there = rig.sender.rpc.endpoints
    finals = sum(row.kind == "tx.final" for row in rig.rows())
    assert finals == ACTIONS
    assert there.requests <= 3 < here.requests
    assert SEND not in rig.others[0].calls
    rig.oracles(signatures=ACTIONS)


def test_13_providers_that_disagree_make_nothing_final(rig: Rig) -> None:
    rig.others[0].add(fp.result(_another_hash, BLOCK, times=None))
    with pytest.raises(StillPending) as caught:
        rig.run(wait_s=1.0)
    assert caught.value.exit_code == 3
    assert "the providers disagree" in caught.value.cause
    assert not any(row.kind == "tx.final" for row in rig.rows())
    rig.oracles(signatures=ACTIONS)


def test_13_a_provider_on_a_real_fork_makes_nothing_final(node: Anvil, first: FaultProxy, tmp_path: Path) -> None:
    """The second provider is a node that forked away from the first and mines blocks of its own."""
    with anvil("--fork-url", node.url) as away, fp.fault_proxy(away.url) as forked:
        rig = Rig(node, first, tmp_path / "j", others=[forked]).usual()
        away.mine(40)
        with pytest.raises(StillPending):
            rig.run(wait_s=1.0)
        assert not any(row.kind == "tx.final" for row in rig.rows())
        rig.others.clear()
        rig.oracles(signatures=ACTIONS)


def test_13_of_three_two_that_agree_are_enough(node: Anvil, rig: Rig) -> None:
    rig.others[0].add(fp.result(_another_hash, BLOCK, times=None))
    with fp.fault_proxy(node.url) as third:
        third.before_send = rig.proxy.before_send
        rig.others.append(third)
        rig.run()
        rig.oracles(signatures=ACTIONS)


def test_13_without_the_second_word_nothing_is_final(rig: Rig) -> None:
    rig.others[0].add(fp.drop_before(times=None))
    with pytest.raises(StillPending, match="no second provider answers"):
        rig.run(wait_s=1.0)
    assert not any(row.kind == "tx.final" for row in rig.rows())
    rig.oracles(signatures=ACTIONS)


def test_10_a_second_provider_that_lags_delays_finality(rig: Rig) -> None:
    rig.others[0].add(fp.stale_head(2))
    with pytest.raises(StillPending, match="final yet"):
        rig.run(wait_s=1.0)
    finals = [row.data["block_number"] for row in rig.rows() if row.kind == "tx.final"]
    assert all(number <= rig.node.number() - 2 for number in finals)
    rig.node.mine(2)
    rig.run()
    rig.oracles(signatures=ACTIONS)


def test_18_a_failure_one_provider_makes_up_is_no_failure(rig: Rig) -> None:
    rule = fp.receipts_with({"status": "0x0"}, times=12)
    rig.proxy.add(rule)
    rig.run()
    assert rule.fired
    assert not any(row.kind == "tx.reverted" for row in rig.rows())
    rig.oracles(signatures=ACTIONS)


def test_18_a_failure_two_providers_show_halts(
    node: Anvil, first: FaultProxy, second: FaultProxy, tmp_path: Path
) -> None:
    rig = Rig(node, first, tmp_path / "j", others=[second])
    bad = rig.workshop.create("Bad", tagged(REVERTER, 1))
    rig.workshop.call("fails", bad)
    rig.workshop.create("Later", tagged(COUNTER, 2))
    rig.seal()
    with pytest.raises(ActionReverted) as caught:
        rig.run(window=1)
    assert caught.value.exit_code == 4
    assert rig.kinds("Later") == []


def test_15_a_foreign_transaction_needs_two_providers_that_show_it(rig: Rig) -> None:
    rig.node.send(**{"from": DEPLOYER, "to": OTHER, "value": "0x1"})
    rig.others[0].add(fp.drop_before(times=None))
    with pytest.raises(StillPending) as waiting:
        rig.run(wait_s=1.0)
    assert waiting.value.exit_code == 3
    rig.others[0].clear()
    with pytest.raises(NonceTaken) as caught:
        rig.run()
    assert caught.value.exit_code == 4
    assert rig.proxy.sent == []


def test_a_provider_that_dies_in_mid_run_is_replaced_by_the_next(node: Anvil, rig: Rig) -> None:
    rig.proxy.add(fp.drop_before(times=None, after=25))
    with fp.fault_proxy(node.url) as third:
        third.before_send = rig.proxy.before_send
        rig.others.append(third)
        rig.run(window=1)
        assert rig.others[0].sent, "sends moved on to the next one, too"
        rig.oracles(signatures=ACTIONS)


def test_12_an_endpoint_that_comes_back_as_another_chain_is_not_believed(
    node: Anvil, first: FaultProxy, tmp_path: Path
) -> None:
    """It restarts with an empty state: the right chain id, another genesis."""
    with anvil("--timestamp", "1000000") as reset:
        rig = Rig(node, first, tmp_path / "j").usual()

        def restarted(proxy: FaultProxy, call: dict[str, Any]) -> dict[str, Any]:
            proxy.target = reset.url
            raise fp.Drop

        first.add(fp.Rule("restarts", (), restarted, times=3, after=25))
        with pytest.raises(RpcDown, match="another genesis block") as caught:
            rig.run(window=1, patience_s=2.0)
        assert caught.value.exit_code == 3
        assert reset.nonce() == 0, "nothing was sent there"
        first.target = node.url
        rig.oracles(signatures=ACTIONS)


def test_an_endpoint_of_another_chain_is_refused_at_the_start(node: Anvil) -> None:
    with anvil("--chain-id", "5") as other, pytest.raises(WrongChain) as caught:
        make_chain(node.url, other.url).confirm_identity()
    assert caught.value.exit_code == 2


def test_one_that_is_down_at_the_start_is_checked_before_it_counts(node: Anvil, second: FaultProxy) -> None:
    with anvil("--chain-id", "5") as other:
        second.add(fp.http_status(503, times=1))
        on = make_chain(node.url, second.url)
        on.confirm_identity()
        second.target = other.url
        assert list(on.rpc.second_words([("eth_blockNumber", [])], than=on.rpc.endpoints[0].label)) == []


def test_providers_that_count_nonces_differently_stop_the_plan(
    node: Anvil, first: FaultProxy, second: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    on = make_chain(first.url, second.url)
    second.add(fp.result("0x63", "eth_getTransactionCount", times=1))
    assert make_plan(on).observed["nonce"] == node.nonce(), "a moment later they agree"
    second.add(fp.result("0x63", "eth_getTransactionCount", times=None))
    times = iter(range(0, 1000, 4))
    monkeypatch.setattr(on.clock, "monotonic_s", lambda: float(next(times)))
    monkeypatch.setattr(on.clock, "sleep_s", lambda seconds: None)
    on.rpc.clock = type(on.clock)()
    with pytest.raises(ProvidersDisagree) as caught:
        make_plan(on)
    assert caught.value.exit_code == 3


# -- relays ------------------------------------------------------------------------------------------------------------


def test_with_a_relay_no_public_endpoint_gets_a_transaction(rig: Rig) -> None:
    with fp.fault_proxy(rig.node.url) as relay:
        relay.before_send = rig.proxy.before_send
        rig.run(submit=[relay.url])
        assert len(relay.sent) == ACTIONS
        assert set(relay.calls) == {SEND}, "and the relay is asked for nothing else"
        assert rig.proxy.sent == rig.others[0].sent == []


def test_a_relay_that_is_down_is_no_reason_to_send_in_public(rig: Rig) -> None:
    with fp.fault_proxy(rig.node.url) as relay:
        relay.add(fp.http_status(503, times=None))
        with pytest.raises(StillPending) as caught:
            rig.run(submit=[relay.url], wait_s=0.8)
        assert caught.value.exit_code == 3
        assert rig.proxy.sent == rig.others[0].sent == []
        relay.clear()
        relay.before_send = rig.proxy.before_send
        rig.run(submit=[relay.url])
        assert len(set(relay.sent)) == ACTIONS
        assert rig.proxy.sent == rig.others[0].sent == []


def test_unless_the_fallback_is_asked_for(rig: Rig) -> None:
    with fp.fault_proxy(rig.node.url) as relay:
        relay.add(fp.http_status(503, times=None))
        rig.run(submit=[relay.url], submit_fallback=True)
        assert len(set(rig.proxy.sent)) == ACTIONS
        rig.oracles(signatures=ACTIONS)


# -- one provider only -------------------------------------------------------------------------------------------------


def test_a_single_provider_has_to_say_final_for_longer(node: Anvil, first: FaultProxy, tmp_path: Path) -> None:
    rig = Rig(node, first, tmp_path / "j").usual()
    with pytest.raises(StillPending):
        rig.run(second_look_s=60.0, wait_s=0.5)
    assert not any(row.kind == "tx.final" for row in rig.rows())
    rig.run(second_look_s=0.3)
    rig.oracles(signatures=ACTIONS)


def test_14_a_reorg_before_the_second_look_is_seen(node: Anvil, first: FaultProxy, tmp_path: Path) -> None:
    """One confirmation, one provider: the block was final by the rule, and is gone at the second look."""
    rig = Rig(node, first, tmp_path / "j").usual()

    def cut() -> None:
        while "tx.mined" not in rig.kinds("three"):
            pass
        node.call("anvil_reorg", 1, [])
        node.mine()

    thread = threading.Thread(target=cut)
    thread.start()
    rig.run(second_look_s=1.0)
    thread.join()
    assert any("tx.reorged" in rig.kinds(action.id) for action in rig.plan.actions)
    rig.oracles(signatures=ACTIONS)
