"""What a release cost counts what failed on the way to it, and nothing of the release before."""

from __future__ import annotations

from typing import Any

from chains.base import Row
from pipeline.record import _reverted


def row(seq: int, kind: str, **data: Any) -> Row:
    return Row(seq, "", kind, data)


FAILED = {
    "block_number": 1,
    "block_hash": "0x" + "00" * 32,
    "gas_used": 30_000,
    "gas_price_wei": "5",
    "l1_fee_wei": "7",
    "operator_fee_wei": "11",
    "reason": "paused",
}


def test_reverted_transactions_are_paid_for() -> None:
    rows = [
        row(0, "tx.reverted", plan="old", action="a", hash="0x1", **FAILED),
        row(1, "plan.finished", plan="old"),
        row(2, "plan.accepted", plan="given up"),
        row(3, "tx.reverted", plan="given up", action="b", hash="0x2", **FAILED),
        row(4, "plan.accepted", plan="this"),
    ]
    (only,) = _reverted(rows, 4)
    assert (only["hash"], only["plan"], only["cost_wei"]) == ("0x2", "given up", str(30_000 * 5 + 7 + 11))
