"""What a release has cost so far, at its worst: every transaction that was signed may land."""

from __future__ import annotations

from collections.abc import Iterable

from solders.message import to_bytes_versioned
from solders.transaction import VersionedTransaction

from chains.base import Row
from chains.solana.fees import Budget
from chains.solana.reading import read_message

__all__ = ["spent_lamports"]


def spent_lamports(rows: Iterable[Row], plan: str) -> int:
    """Fees of all that this plan signed, in lamports. What provably expired cost nothing."""
    signed: dict[str, int] = {}
    waves = 0
    for row in rows:
        if not row.kind.startswith("sol.") or row.data["plan"] != plan:
            continue
        if row.kind == "sol.signed":
            message = VersionedTransaction.from_bytes(bytes.fromhex(row.data["raw"])).message
            signed[row.data["signature"]] = read_message(to_bytes_versioned(message)).worst_lamports
        elif row.kind == "sol.expired" and not row.data["landed"]:
            signed.pop(row.data["signature"], None)
        elif row.kind == "sol.writing":
            each = Budget(row.data["units"], row.data["price_micro_lamports"]).lamports(1)
            waves += each * len(row.data["writes"])
    return sum(signed.values()) + waves
