"""What a transaction may cost: EIP-1559 from ``eth_feeHistory``, or a legacy gas price, under the policy's caps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chains.errors import Refused, Resumable
from chains.evm.node import quantity
from chains.evm.transaction import Fees
from chains.rpc import Request, Rpc, RpcDown

__all__ = ["BaseFeeAboveCap", "FeeCaps", "InsufficientFunds", "bump", "current_fees", "ether", "market_request"]

_HISTORY_BLOCKS = 10
_REWARD_PERCENTILE = 50
_MIN_PRIORITY_WEI = 1
_BUMP_PERCENT = 12  # nodes ask for at least 10 % on both fees to replace a pooled transaction


class BaseFeeAboveCap(Resumable):
    """SHIP-F01: the chain's fee is above what the policy allows."""

    code = "SHIP-F01"


class InsufficientFunds(Refused):
    """SHIP-F02: the deployer cannot pay the worst case."""

    code = "SHIP-F02"


class CostAboveCap(Refused):
    """SHIP-F03: the plan's worst case costs more than the policy allows."""

    code = "SHIP-F03"


@dataclass(frozen=True)
class FeeCaps:
    """Upper bounds in wei; ``None`` is no bound. ``max_cost_wei`` bounds a whole plan (fees and values)."""

    max_fee_wei: int | None = None
    max_priority_wei: int | None = None
    max_cost_wei: int | None = None

    def within(self, limits: Mapping[str, Any]) -> FeeCaps:
        """The tighter of these and a plan's ``limits``: what was approved holds, whatever the manifest says by now."""

        def tighter(own_wei: int | None, name: str) -> int | None:
            bounds = [own_wei, *(int(v) for v in [limits.get(name)] if v is not None)]
            return min((b for b in bounds if b is not None), default=None)

        return FeeCaps(
            tighter(self.max_fee_wei, "max_fee_per_gas_wei"),
            tighter(self.max_priority_wei, "max_priority_fee_per_gas_wei"),
            tighter(self.max_cost_wei, "max_cost_wei"),
        )


def market_request(*, legacy: bool = False) -> Request:
    """What ``current_fees`` asks first."""
    if legacy:
        return ("eth_gasPrice", [])
    return ("eth_feeHistory", [hex(_HISTORY_BLOCKS), "latest", [_REWARD_PERCENTILE]])


def current_fees(rpc: Rpc, caps: FeeCaps, *, legacy: bool = False, max_age_s: float = 0.0) -> tuple[Fees, int]:
    """``(fees to offer, base fee in wei)``. The offer survives the base fee doubling, within the caps. What
    the market was up to ``max_age_s`` ago will do.

    Raises ``BaseFeeAboveCap`` when even the base fee does not fit under the cap, ``RpcDown`` when no node says.
    """
    try:
        if not legacy:
            history = rpc.read_all([market_request()], max_age_s=max_age_s)[0]
            if isinstance(history, dict) and history.get("baseFeePerGas"):
                base_wei = quantity(history["baseFeePerGas"][-1])
                if base_wei or history.get("reward"):
                    return _offer(base_wei, _priority(history.get("reward") or []), caps), base_wei
        price_wei = quantity(rpc.read_all([market_request(legacy=True)], max_age_s=max_age_s)[0])
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise RpcDown(
            f"the node says nothing usable about fees: {error}", remedy="Check the endpoint with `ship doctor`."
        ) from error
    _within_cap(price_wei, caps)
    offer_wei = price_wei * 5 // 4
    return Fees(offer_wei if caps.max_fee_wei is None else min(offer_wei, caps.max_fee_wei), None), price_wei


def _priority(rewards: Sequence[Sequence[str]]) -> int:
    paid = sorted(quantity(r[0]) for r in rewards if r)
    return max(paid[len(paid) // 2] if paid else 0, _MIN_PRIORITY_WEI)


def _offer(base_wei: int, priority_wei: int, caps: FeeCaps) -> Fees:
    _within_cap(base_wei, caps)
    if caps.max_priority_wei is not None:
        priority_wei = min(priority_wei, caps.max_priority_wei)
    max_wei = 2 * base_wei + priority_wei
    if caps.max_fee_wei is not None:
        max_wei = min(max_wei, caps.max_fee_wei)
    return Fees(max_wei, min(priority_wei, max_wei))


def _within_cap(base_wei: int, caps: FeeCaps) -> None:
    if caps.max_fee_wei is not None and base_wei > caps.max_fee_wei:
        raise BaseFeeAboveCap(
            f"the chain's base fee is {gwei(base_wei)}, the policy allows at most {gwei(caps.max_fee_wei)}",
            remedy="Run the same command again when fees are lower, or raise `max-fee-per-gas` under [policy].",
        )


def bump(fees: Fees, market: Fees, caps: FeeCaps) -> Fees | None:
    """Fees that may replace a pooled transaction: both raised by 12 % or to the market. ``None`` if the cap forbids."""

    def raised(old_wei: int, now_wei: int) -> int:
        return max(-(-old_wei * (100 + _BUMP_PERCENT) // 100), old_wei + 1, now_wei)

    max_wei = raised(fees.max_wei, market.max_wei)
    if caps.max_fee_wei is not None and max_wei > caps.max_fee_wei:
        return None
    if fees.priority_wei is None:
        return Fees(max_wei, None)
    priority_wei = raised(fees.priority_wei, market.priority_wei or 0)
    if caps.max_priority_wei is not None and priority_wei > caps.max_priority_wei:
        return None
    return Fees(max(max_wei, priority_wei), priority_wei)


def gwei(wei: int) -> str:
    """``wei`` in gwei, exactly."""
    return _decimal(wei, 9) + " gwei"


def ether(wei: int, symbol: str = "ether") -> str:
    """``wei`` in whole coins, exactly."""
    return f"{_decimal(wei, 18)} {symbol}"


def _decimal(amount: int, places: int) -> str:
    whole, rest = divmod(amount, 10**places)
    return f"{whole}.{rest:0{places}d}".rstrip("0").rstrip(".") if rest else str(whole)
