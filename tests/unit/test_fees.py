"""What a transaction may cost: under the caps, and replaced only by what nodes take for a replacement."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chains.evm.fees import BaseFeeAboveCap, FeeCaps, bump, current_fees, ether, gwei
from chains.evm.transaction import Fees
from chains.rpc import RpcDown, RpcFault

GWEI = 10**9


class Answers:
    """The fee methods of a node, canned: no real node can be made to give these numbers (a fake)."""

    def __init__(self, history: Any = None, price: Any = None) -> None:
        self.by_method = {"eth_feeHistory": history, "eth_gasPrice": price}

    def read_all(self, requests: list[tuple[str, list[Any]]], *, max_age_s: float) -> list[Any]:
        return [self.by_method[method] for method, _ in requests]


def history(base: int, *tips: int) -> dict[str, Any]:
    return {"baseFeePerGas": ["0x1", hex(base)], "reward": [[hex(t)] for t in tips]}


def offered(answers: Answers, caps: FeeCaps | None = None, *, legacy: bool = False) -> tuple[Fees, int]:
    return current_fees(answers, caps or FeeCaps(), legacy=legacy)  # type: ignore[arg-type]


def test_the_offer_survives_a_doubled_base_fee() -> None:
    assert offered(Answers(history(10 * GWEI, GWEI, 3 * GWEI, 2 * GWEI))) == (Fees(22 * GWEI, 2 * GWEI), 10 * GWEI)


def test_caps_bound_fee_and_tip() -> None:
    caps = FeeCaps(max_fee_wei=15 * GWEI, max_priority_wei=GWEI)
    assert offered(Answers(history(10 * GWEI, 5 * GWEI)), caps)[0] == Fees(15 * GWEI, GWEI)


def test_a_tip_is_never_above_the_fee() -> None:
    assert offered(Answers(history(10, 50)), FeeCaps(max_fee_wei=12))[0] == Fees(12, 12)


@pytest.mark.parametrize("base", [16 * GWEI, 15 * GWEI + 1])
def test_a_base_fee_above_the_cap_stops_resumably(base: int) -> None:
    with pytest.raises(BaseFeeAboveCap) as caught:
        offered(Answers(history(base, GWEI)), FeeCaps(max_fee_wei=15 * GWEI))
    assert caught.value.exit_code == 3


def test_a_base_fee_at_the_cap_is_offered() -> None:
    assert offered(Answers(history(15, 1)), FeeCaps(max_fee_wei=15))[0].max_wei == 15


def test_legacy_chains_get_a_gas_price() -> None:
    assert offered(Answers(price=hex(100)), legacy=True) == (Fees(125, None), 100)
    assert offered(Answers(price=hex(100)), FeeCaps(max_fee_wei=110), legacy=True)[0] == Fees(110, None)
    with pytest.raises(BaseFeeAboveCap):
        offered(Answers(price=hex(100)), FeeCaps(max_fee_wei=99), legacy=True)


@pytest.mark.parametrize(
    "nothing", [None, {}, {"baseFeePerGas": []}, {"baseFeePerGas": ["0x0", "0x0"]}, RpcFault(-32601, "no")]
)
def test_a_chain_without_base_fees_falls_back_to_the_gas_price(nothing: Any) -> None:
    assert offered(Answers(nothing, hex(100)))[0] == Fees(125, None)


@pytest.mark.parametrize(
    "answers",
    [
        Answers(None, None),
        Answers(None, RpcFault(-32000, "no")),
        Answers(None, "12"),
        Answers(None, 12),
        Answers({"baseFeePerGas": ["x"]}),
        Answers({"baseFeePerGas": 5}),
        Answers({"baseFeePerGas": ["0x1"], "reward": [["zz"]]}),
        Answers({"baseFeePerGas": ["0x1"], "reward": [5]}),
    ],
)
def test_answers_without_sense_stop_resumably(answers: Answers) -> None:
    with pytest.raises(RpcDown) as caught:
        offered(answers)
    assert caught.value.exit_code == 3


wei = st.integers(0, 10**13)
fee_pairs = st.tuples(wei, wei).map(lambda p: Fees(max(p), min(p)))


@settings(deadline=None)
@given(fee_pairs, fee_pairs, st.one_of(st.none(), wei), st.one_of(st.none(), wei))
def test_a_replacement_raises_both_by_ten_percent_under_both_caps(
    old: Fees, market: Fees, fee_cap: int | None, tip_cap: int | None
) -> None:
    new = bump(old, market, FeeCaps(fee_cap, tip_cap))
    if new is None:
        assert fee_cap is not None or tip_cap is not None
        return
    assert new.priority_wei is not None
    assert old.priority_wei is not None
    for before, after in ((old.max_wei, new.max_wei), (old.priority_wei, new.priority_wei)):
        assert after * 10 >= before * 11
        assert after > before, "nodes refuse a replacement that raises nothing"
    assert new.priority_wei <= new.max_wei
    assert new.max_wei >= market.max_wei
    assert fee_cap is None or new.max_wei <= fee_cap
    assert tip_cap is None or new.priority_wei <= tip_cap


@settings(deadline=None)
@given(wei, wei, st.one_of(st.none(), wei))
def test_a_legacy_replacement_stays_legacy(old: int, market: int, cap: int | None) -> None:
    new = bump(Fees(old, None), Fees(market, None), FeeCaps(cap))
    if new is not None:
        assert new.priority_wei is None
        assert new.max_wei > old
        assert new.max_wei * 10 >= old * 11
        assert cap is None or new.max_wei <= cap


def test_an_approved_plans_limits_hold_whatever_the_manifest_says_by_now() -> None:
    limits = {"max_fee_per_gas_wei": "100", "max_priority_fee_per_gas_wei": None, "max_cost_wei": "7"}
    assert FeeCaps(200, 5, None).within(limits) == FeeCaps(100, 5, 7)
    assert FeeCaps(50, None, 3).within(limits) == FeeCaps(50, None, 3)
    assert FeeCaps().within({}) == FeeCaps()


@pytest.mark.parametrize(("amount", "shown"), [(0, "0"), (1, "0.000000001"), (1_500_000_000, "1.5"), (10**10, "10")])
def test_amounts_are_shown_exactly(amount: int, shown: str) -> None:
    assert gwei(amount) == f"{shown} gwei"
    assert ether(amount * 10**9, "ETH") == f"{shown} ETH"
