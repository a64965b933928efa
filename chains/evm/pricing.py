"""What a plan costs: about, and at worst, held against the policy and the balance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chains.evm.actions import Action
from chains.evm.fees import CostAboveCap, FeeCaps, InsufficientFunds, current_fees, ether
from chains.evm.identity import ChainIdentity
from chains.evm.l1_fee import l1_fee
from chains.evm.looking import Finality
from chains.rpc import Rpc

__all__ = ["EvmPolicy", "price"]


@dataclass(frozen=True)
class EvmPolicy:
    """The target's limits: fee caps in wei, finality rule, window, gas margin in percent, patience in seconds."""

    caps: FeeCaps
    finality: Finality
    window: int
    gas_margin_bps: int
    wait_s: float


def price(
    rpc: Rpc, identity: ChainIdentity, policy: EvmPolicy, actions: Sequence[Action], *, balance_wei: int, l1_gas: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    """``(estimate, limits)``. Raises ``InsufficientFunds`` and ``CostAboveCap`` for the worst case."""
    caps = policy.caps
    limits: dict[str, Any] = {
        "max_fee_per_gas_wei": str(caps.max_fee_wei) if caps.max_fee_wei is not None else None,
        "max_priority_fee_per_gas_wei": str(caps.max_priority_wei) if caps.max_priority_wei is not None else None,
        "max_cost_wei": str(caps.max_cost_wei) if caps.max_cost_wei is not None else None,
        "gas_margin_bps": policy.gas_margin_bps,
    }
    actions = [a for a in actions if a.kind != "proposal"]  # who executes them pays for them
    if not actions:
        return {"gas": 0, "cost_wei": "0", "worst_cost_wei": "0"}, limits
    fees, base_wei = current_fees(rpc, caps, legacy=identity.legacy_fees, max_age_s=identity.moment_s)
    value_wei = sum(a.value_wei for a in actions)
    gas, gas_limit = sum(a.gas_estimate for a in actions), sum(a.gas_limit for a in actions)
    price_wei = min(base_wei + (fees.priority_wei or 0), fees.max_wei)
    data_fee = l1_fee(rpc, identity.fee_model, actions, fees, chain_id=identity.id)
    beside_wei, worst_beside_wei = data_fee.beside_gas_wei
    worst_wei = gas_limit * fees.max_wei + value_wei + worst_beside_wei
    estimate = {
        "base_fee_wei": str(base_wei),
        **{key: str(value) if value is not None else None for key, value in fees.to_json().items()},
        "gas": gas,
        "value_wei": str(value_wei),
        "cost_wei": str(gas * price_wei + value_wei + beside_wei),
        "worst_cost_wei": str(worst_wei),
    }
    if identity.fee_model in {"op-stack", "scroll"}:
        # What the sender holds against the cost cap is the worst of all that comes beside the gas.
        estimate |= {"l1_fee_wei": str(data_fee.expected_wei), "worst_l1_fee_wei": str(worst_beside_wei)}
        if data_fee.worst_operator_wei:
            estimate |= {"operator_fee_wei": str(data_fee.operator_wei)}
    elif identity.fee_model == "arbitrum":  # part of the gas, and of the cost above
        estimate |= {"l1_gas": l1_gas, "l1_fee_wei": str(l1_gas * price_wei)}
    symbol = identity.currency
    if caps.max_cost_wei is not None and worst_wei > caps.max_cost_wei:
        raise CostAboveCap(
            f"the plan may cost {ether(worst_wei, symbol)}, the policy allows {ether(caps.max_cost_wei, symbol)}",
            remedy="Wait for lower fees, or raise `max-cost` under [policy].",
        )
    if worst_wei > balance_wei:
        raise InsufficientFunds(
            f"the deployer has {ether(balance_wei, symbol)}, the plan may cost {ether(worst_wei, symbol)}",
            remedy=f"Send it at least {ether(worst_wei - balance_wei, symbol)}, then run again.",
        )
    return estimate, limits
