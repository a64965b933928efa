"""Caps: on one transaction, on a release over all its runs, and on a day."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from chains.evm.fees import ether
from pipeline.signing.rules.base import Request
from pipeline.signing.spent import Key, Ledger, Spend

__all__ = ["Account", "CostPerDay", "CostPerRelease", "GasCap", "ValueCap", "ValuePerRelease"]

DAY_S = 86_400


@dataclass
class Account:
    """The journal's ledger and what was allowed since and is not in it yet, for one plan.

    ``data_fee_wei`` is the most the plan's bytes may cost on a parent chain, beside the gas.
    """

    ledger: Ledger
    plan: str
    now_s: Callable[[], float]
    data_fee_wei: int = 0
    _allowed: dict[Key, Spend] = field(default_factory=dict)

    def allowed(self, request: Request) -> None:
        """Count ``request`` from now on, before it is signed."""
        if request.unsigned is not None:
            key = (self.plan, request.action)
            self._allowed[key] = Spend(self.now_s(), request.worst_wei, request.unsigned.value_wei)

    def forget(self) -> None:
        """What was only looked at ahead counts for nothing."""
        self._allowed.clear()

    def release(self, request: Request) -> list[Spend]:
        """Every spend of the plan with ``request`` in it."""
        self.ledger.update()
        return self._with(request, self.ledger.of_plan(self.plan))

    def day(self, request: Request) -> list[Spend]:
        """Every spend of the last 24 hours, of all plans, with ``request`` in it."""
        self.ledger.update()
        return self._with(request, self.ledger.since(self.now_s() - DAY_S))

    def _with(self, request: Request, signed: Iterable[tuple[Key, Spend]]) -> list[Spend]:
        """A replacement takes the place of what it replaces: one nonce is paid for once, at most at the dearer price."""
        spends = dict(signed)
        own = (self.plan, request.action)
        value_wei = request.unsigned.value_wei if request.unsigned else 0
        asked = {own: Spend(self.now_s(), request.worst_wei, value_wei)} if request.unsigned else {}
        for key, spend in [*self._allowed.items(), *asked.items()]:
            known = spends.get(key)
            if known is None or (known.paid_wei is None and spend.worst_wei > known.worst_wei):
                spends[key] = spend
        return list(spends.values())


@dataclass(frozen=True)
class ValueCap:
    """``max-value-per-transaction``."""

    most_wei: int
    name: str = "max-value-per-transaction"

    def problem(self, request: Request) -> str | None:
        if request.value_wei > self.most_wei:
            return f"it sends {ether(request.value_wei)} along, {ether(self.most_wei)} are allowed"
        return None


@dataclass(frozen=True)
class GasCap:
    """``max-gas-per-transaction``."""

    most: int
    name: str = "max-gas-per-transaction"

    def problem(self, request: Request) -> str | None:
        if request.unsigned is not None and request.unsigned.gas_limit > self.most:
            return f"its gas limit is {request.unsigned.gas_limit:,}, {self.most:,} are allowed"
        return None


@dataclass(frozen=True)
class ValuePerRelease:
    """``max-value-per-release``."""

    most_wei: int
    account: Account
    name: str = "max-value-per-release"

    def problem(self, request: Request) -> str | None:
        total_wei = sum(spend.value_wei for spend in self.account.release(request))
        if total_wei > self.most_wei:
            return f"the release would send {ether(total_wei)} along, {ether(self.most_wei)} are allowed"
        return None


@dataclass(frozen=True)
class CostPerRelease:
    """``max-cost``, over every run of the plan: the planned cap and the target's own, whichever is lower."""

    most_wei: int
    account: Account
    name: str = "max-cost"

    def problem(self, request: Request) -> str | None:
        total_wei = sum(spend.cost_wei for spend in self.account.release(request)) + self.account.data_fee_wei
        if total_wei > self.most_wei:
            return f"the release may then have cost {ether(total_wei)}, {ether(self.most_wei)} are allowed"
        return None


@dataclass(frozen=True)
class CostPerDay:
    """``max-cost-per-day``: what the journal holds as signed in the last 24 hours."""

    most_wei: int
    account: Account
    name: str = "max-cost-per-day"

    def problem(self, request: Request) -> str | None:
        total_wei = sum(spend.cost_wei for spend in self.account.day(request)) + self.account.data_fee_wei
        if total_wei > self.most_wei:
            return f"the last 24 hours may then have cost {ether(total_wei)}, {ether(self.most_wei)} are allowed"
        return None
