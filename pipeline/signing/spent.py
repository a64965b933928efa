"""What was spent, folded from the journal: every signed transaction at its worst case until it is mined, then at its price."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from chains.base import Row
from chains.evm.lifecycle import Mined
from chains.evm.transaction import decode_signed

__all__ = ["Ledger", "Spend", "instant_s"]

Key = tuple[str, str]
"""Plan and action."""


@dataclass(frozen=True)
class Spend:
    """``worst_wei`` of the dearest form that was signed, its value included; ``paid_wei`` once that is known."""

    at_s: float
    worst_wei: int
    value_wei: int
    paid_wei: int | None = None

    @property
    def cost_wei(self) -> int:
        return self.worst_wei if self.paid_wei is None else self.paid_wei


def instant_s(at: str) -> float:
    """Seconds since 1970 of a journal row's time."""
    return datetime.fromisoformat(at).timestamp()


@dataclass
class Ledger:
    """Reads on where it left off: rows are only ever appended. ``decided`` are digests the policy has allowed before."""

    rows: Sequence[Row]
    spends: dict[Key, Spend] = field(default_factory=dict)
    decided: set[tuple[str, str, str]] = field(default_factory=set)
    _seen: int = 0

    def update(self) -> None:
        for row in self.rows[self._seen :]:
            self._take(row)
        self._seen = len(self.rows)

    def _take(self, row: Row) -> None:
        if row.kind == "policy.decision" and row.data["verdict"] == "allowed":
            self.decided.add((row.data["plan"], row.data["action"], row.data["digest"]))
        if not row.kind.startswith("tx."):
            return
        key = (row.data["plan"], row.data["action"])
        before = self.spends.get(key)
        if row.kind == "tx.signed":
            unsigned, _ = decode_signed(bytes.fromhex(row.data["raw"][2:]))
            worst_wei = unsigned.gas_limit * unsigned.fees.max_wei + unsigned.value_wei
            worst_wei = max(worst_wei, before.worst_wei if before else 0)
            self.spends[key] = Spend(instant_s(row.at), worst_wei, unsigned.value_wei)
        elif before is None:
            return
        elif row.kind in {"tx.mined", "tx.final", "tx.reverted"}:
            value_wei = 0 if row.kind == "tx.reverted" else before.value_wei
            self.spends[key] = replace(before, paid_wei=Mined.from_json(row.data).fee_wei + value_wei)
        elif row.kind == "tx.reorged":
            self.spends[key] = replace(before, paid_wei=None)

    def of_plan(self, plan: str) -> Iterator[tuple[Key, Spend]]:
        return ((key, spend) for key, spend in self.spends.items() if key[0] == plan)

    def since(self, at_s: float) -> Iterator[tuple[Key, Spend]]:
        """Signed at ``at_s`` or later. A time in the future counts: a clock that was set back frees no money."""
        return ((key, spend) for key, spend in self.spends.items() if spend.at_s >= at_s)
