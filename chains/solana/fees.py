"""What a transaction costs: five thousand lamports a signature, and a price for each compute unit it may use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from solders.compute_budget import set_compute_unit_limit, set_compute_unit_price
from solders.instruction import Instruction

__all__ = ["LAMPORTS_PER_SIGNATURE", "Budget", "limit_from", "price_from"]

LAMPORTS_PER_SIGNATURE = 5_000
MAX_UNITS = 1_400_000


@dataclass(frozen=True)
class Budget:
    """Compute units a transaction may use and the price of each, in micro-lamports. Nothing is asked for at price 0: the
    instructions would only take room."""

    units: int = 0
    price_micro_lamports: int = 0

    def instructions(self) -> list[Instruction]:
        if not self.price_micro_lamports:
            return []
        return [set_compute_unit_limit(self.units), set_compute_unit_price(self.price_micro_lamports)]

    def lamports(self, signatures: int) -> int:
        """What a transaction with this budget costs. Parts of a lamport count as a whole one."""
        return LAMPORTS_PER_SIGNATURE * signatures + -(-self.units * self.price_micro_lamports // 1_000_000)


def price_from(recent: Sequence[Any], percentile: int, cap_micro_lamports: int) -> int:
    """The price at ``percentile`` of getRecentPrioritizationFees, at most the cap; 0 where nothing usable was given."""
    paid = sorted(
        entry["prioritizationFee"]
        for entry in recent
        if isinstance(entry, dict)
        and isinstance(entry.get("prioritizationFee"), int)
        and entry["prioritizationFee"] >= 0
    )
    if not paid:
        return 0
    place = min(len(paid) - 1, len(paid) * percentile // 100)
    return int(min(paid[place], cap_micro_lamports))


def limit_from(used: int) -> int:
    """A compute-unit limit from what a simulation used: a tenth more, and a little for what it does not count."""
    return min(used + used // 10 + 500, MAX_UNITS)
