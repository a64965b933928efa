"""Every case of "what to do about one transaction", as a table; and the journal folded into states."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chains.base import Row
from chains.evm.lifecycle import Attempt, Mined, TxState, fold
from chains.evm.reconcile import Receipt, Seen, reconcile
from chains.evm.transaction import Fees

A, B = "0x" + "aa" * 32, "0x" + "bb" * 32
BLOCK, FORK = "0x" + "01" * 32, "0x" + "02" * 32
FEES = Fees(10, 1)
NONCE = 7


def mined(tx: str = A, number: int = 100, block: str = BLOCK) -> Mined:
    return Mined(tx, number, block, 21_000, 5)


PLANNED = TxState("a")
RESERVED = replace(PLANNED, stage="reserved", nonce=NONCE, fees=FEES)
SIGNED = replace(RESERVED, stage="signed", attempts=(Attempt(A, b"a", FEES),))
BUMPED = replace(SIGNED, attempts=(*SIGNED.attempts, Attempt(B, b"b", FEES)))
MINED = replace(SIGNED, stage="mined", mined=mined())
BUMPED_MINED = replace(BUMPED, stage="mined", mined=mined())

NOTHING = Seen(NONCE, 105, 99, {}, frozenset(), {})


def seen(**changes: Any) -> Seen:
    return replace(NOTHING, **changes)


def got(tx: str = A, *, ok: bool = True, number: int = 100, block: str = BLOCK) -> dict[str, Receipt]:
    return {tx: Receipt(mined(tx, number, block), ok)}


AT = {100: BLOCK}
USED = NONCE + 1

CASES: list[tuple[str, TxState, Seen, float | None, float | None, str]] = [
    # name, state, what was seen, sent ago, offered ago, verdict
    ("planned", PLANNED, NOTHING, None, None, "sign"),
    ("reserved, whatever is seen", RESERVED, seen(nonce=USED, receipts=got(), canonical=AT), None, None, "sign"),
    ("signed, not sent by this run", SIGNED, NOTHING, None, None, "send"),
    ("signed, pooled, not sent by this run", SIGNED, seen(pooled=frozenset({A})), None, None, "send"),
    ("just sent, unknown", SIGNED, NOTHING, 1, 1, "wait"),
    ("sent a while ago, unknown", SIGNED, NOTHING, 6, 6, "send"),
    ("sent a while ago, pooled", SIGNED, seen(pooled=frozenset({A})), 6, 6, "wait"),
    ("only an older attempt pooled", BUMPED, seen(pooled=frozenset({A})), 6, 6, "send"),
    ("offered for long, pooled", SIGNED, seen(pooled=frozenset({A})), 60, 60, "replace"),
    ("offered for long, resent just now", SIGNED, NOTHING, 1, 60, "replace"),
    (
        "offered for long, a predecessor is missing",
        SIGNED,
        seen(nonce=NONCE - 1, pooled=frozenset({A})),
        60,
        60,
        "wait",
    ),
    ("predecessor missing, unknown", SIGNED, seen(nonce=NONCE - 1), 6, 60, "send"),
    ("nonce used, no receipt", SIGNED, seen(nonce=USED), 1, 1, "ask_foreign"),
    ("nonce used, no receipt, after a restart", SIGNED, seen(nonce=USED), None, None, "ask_foreign"),
    ("receipt", SIGNED, seen(nonce=USED, receipts=got(), canonical=AT), 1, 1, "mined"),
    ("receipt, the nonce still frozen", SIGNED, seen(receipts=got(), canonical=AT), 1, 99, "mined"),
    ("receipt of the first attempt after a bump", BUMPED, seen(receipts=got(A), canonical=AT), 1, 1, "mined"),
    ("receipt of the second", BUMPED, seen(receipts=got(B), canonical=AT), 1, 1, "mined"),
    ("receipt in a fork", SIGNED, seen(nonce=USED, receipts=got(), canonical={100: FORK}), 1, 1, "wait"),
    ("receipt in a block the node does not show", SIGNED, seen(nonce=USED, receipts=got()), 1, 1, "wait"),
    ("failed", SIGNED, seen(receipts=got(ok=False), canonical=AT), 1, 1, "reverted"),
    ("failed in a fork", SIGNED, seen(receipts=got(ok=False), canonical={100: FORK}), 1, 1, "wait"),
    ("failed in a block not shown", SIGNED, seen(receipts=got(ok=False)), 1, 1, "wait"),
    ("mined, not final", MINED, seen(receipts=got(), canonical=AT), 1, 1, "wait"),
    ("mined, final", MINED, seen(final_number=100, receipts=got(), canonical=AT), 1, 1, "finalize"),
    ("mined, final height, block not shown", MINED, seen(final_number=100, receipts=got()), 1, 1, "wait"),
    (
        "mined, final height, other block",
        MINED,
        seen(final_number=100, receipts=got(), canonical={100: FORK}),
        1,
        1,
        "wait",
    ),
    ("mined, receipt withheld, block there", MINED, seen(final_number=100, canonical=AT), 1, 1, "wait"),
    ("mined, receipt withheld, head behind", MINED, seen(head_number=98), 1, 1, "wait"),
    ("mined, block replaced, receipt gone", MINED, seen(canonical={100: FORK}), 1, 1, "reorged"),
    ("mined again elsewhere", MINED, seen(receipts=got(number=101, block=FORK), canonical={101: FORK}), 1, 1, "mined"),
    ("mined elsewhere, said one node, not shown", MINED, seen(receipts=got(number=101, block=FORK)), 1, 1, "wait"),
    (
        "mined again, and failed",
        MINED,
        seen(receipts=got(ok=False, block=FORK), canonical={100: FORK}),
        1,
        1,
        "reverted",
    ),
    (
        "mined, the other attempt won after a reorg",
        BUMPED_MINED,
        seen(receipts=got(B, block=FORK), canonical={100: FORK}),
        1,
        1,
        "mined",
    ),
]


@pytest.mark.parametrize(
    ("state", "look", "sent", "offered", "verdict"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_decisions(state: TxState, look: Seen, sent: float | None, offered: float | None, verdict: str) -> None:
    decision = reconcile(state, look, sent_before_s=sent, offered_before_s=offered, resend_after_s=5, stuck_after_s=30)
    assert decision.verdict == verdict, decision.why
    assert (decision.mined is not None) == (verdict in {"mined", "reverted", "finalize"})


GOOD: dict[str, Any] = {
    "transactionHash": A,
    "status": "0x1",
    "blockNumber": "0x64",
    "blockHash": BLOCK,
    "gasUsed": "0x5208",
    "effectiveGasPrice": "0x5",
}


def test_a_receipt_is_read() -> None:
    assert Receipt.from_rpc(A, GOOD) == Receipt(mined(), True)
    assert Receipt.from_rpc(A, {**GOOD, "status": "0x0"}) == Receipt(mined(), False)
    assert Receipt.from_rpc(A.upper().replace("X", "x"), GOOD)
    without = {key: value for key, value in GOOD.items() if key != "effectiveGasPrice"}
    assert Receipt.from_rpc(A, without) == Receipt(replace(mined(), gas_price_wei=0), True)


@pytest.mark.parametrize(
    "change",
    [
        {"transactionHash": B},
        {"transactionHash": None},
        {"status": None},
        {"status": "0x2"},
        {"status": 1},
        {"status": ""},
        {"blockNumber": None},
        {"blockNumber": "100"},
        {"blockHash": None},
        {"blockHash": "0x"},
        {"blockHash": "\ud800" * 66},
        {"gasUsed": "0xzz"},
        {"gasUsed": "0x_1"},
        {"effectiveGasPrice": [1]},
    ],
)
def test_what_is_no_receipt_of_the_transaction_counts_for_nothing(change: dict[str, Any]) -> None:
    assert Receipt.from_rpc(A, {**GOOD, **change}) is None


@pytest.mark.parametrize("answer", [None, [], "0x1", 5, {}, True])
def test_answers_of_other_shapes_count_for_nothing(answer: Any) -> None:
    assert Receipt.from_rpc(A, answer) is None


def rows(*kinds: tuple[str, dict[str, Any]]) -> list[Row]:
    return [
        Row(i, "", kind, {"plan": "p", "action": "a", "nonce": NONCE, **data}) for i, (kind, data) in enumerate(kinds)
    ]


SIGN_A = ("tx.signed", {"hash": A, "raw": "0x61", "fees": FEES.to_json()})
SIGN_B = ("tx.signed", {"hash": B, "raw": "0x62", "fees": FEES.to_json()})
RESERVE = ("tx.reserved", {"fees": FEES.to_json()})
MINE = ("tx.mined", mined().to_json())


def test_the_journal_folds_into_states() -> None:
    steps: list[tuple[str, dict[str, Any]]] = [RESERVE, SIGN_A, SIGN_B, MINE, ("tx.reorged", {"hash": B}), MINE]
    steps.append(("tx.final", mined().to_json()))
    expected = ["reserved", "signed", "signed", "mined", "signed", "mined", "final"]
    for count, stage in enumerate(expected, start=1):
        state = fold(rows(*steps[:count]), "p")["a"]
        assert state.stage == stage
        assert [a.hash for a in state.attempts] == [A, B][: max(0, min(count - 1, 2))], "every hash is kept"
        assert (state.mined is not None) == (stage in {"mined", "final"})
    assert fold(rows(*steps), "p")["a"].mined == mined()
    assert fold(rows(*steps), "p")["a"].settled


@pytest.mark.parametrize(
    ("row", "stage"),
    [(("tx.reverted", {**mined().to_json(), "reason": "x"}), "reverted"), (("tx.foreign", {"reason": "y"}), "foreign")],
)
def test_halting_rows(row: tuple[str, dict[str, Any]], stage: str) -> None:
    state = fold(rows(RESERVE, SIGN_A, row), "p")["a"]
    assert state.stage == stage
    assert state.reason in {"x", "y"}
    assert state.settled


def test_other_plans_and_other_rows_do_not_count() -> None:
    assert fold([*rows(RESERVE), Row(9, "", "plan.accepted", {"plan": "q"})], "q") == {}
    assert fold(rows(RESERVE, ("tx.unheard-of", {})), "p")["a"].stage == "reserved"
