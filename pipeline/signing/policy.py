"""What may be signed: only the approved plan's own transactions, within its limits. Default deny."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from chains.evm.actions import Action, EvmPlan
from chains.evm.transaction import UnsignedTransaction
from pipeline.signing.base import PolicyRefused

__all__ = ["PlanPolicy"]


@dataclass(frozen=True)
class PlanPolicy:
    """Allows exactly the transactions of ``plan``; fees and gas up to its limits, nonces as planned."""

    plan: EvmPlan
    actions: Mapping[str, Action]

    @classmethod
    def of(cls, plan: EvmPlan) -> PlanPolicy:
        return cls(plan, {a.id: a for a in plan.actions})

    def allow(self, unsigned: UnsignedTransaction, action: Action) -> None:
        """Raises ``PolicyRefused`` naming the first rule that does not hold."""
        planned = self.actions.get(action.id)
        if planned is None:
            raise self._no(action, "it is not an action of the plan")
        rules = {
            "the chain id": (unsigned.chain_id, self.plan.chain["id"]),
            "the nonce": (unsigned.nonce, planned.nonce),
            "the recipient": ((unsigned.to or "").lower(), (planned.to or "").lower()),
            "the value": (unsigned.value_wei, planned.value_wei),
            "the data": (unsigned.data, planned.data),
            "the gas limit": (unsigned.gas_limit, planned.gas_limit),
        }
        for what, (given, wanted) in rules.items():
            if given != wanted:
                raise self._no(action, f"{what} is not the plan's")
        for name, given_wei in (
            ("max_fee_per_gas_wei", unsigned.fees.max_wei),
            ("max_priority_fee_per_gas_wei", unsigned.fees.priority_wei or 0),
        ):
            cap = self.plan.limits.get(name)
            if cap is not None and given_wei > int(cap):
                raise self._no(action, f"{given_wei} wei exceed the plan's {name} of {cap}")

        cap = self.plan.limits.get("max_cost_wei")
        worst_wei = unsigned.gas_limit * unsigned.fees.max_wei + unsigned.value_wei
        if cap is not None and worst_wei > int(cap):
            raise self._no(action, f"it may cost {worst_wei} wei, the plan's max_cost_wei is {cap}")

    @staticmethod
    def _no(action: Action, why: str) -> PolicyRefused:
        return PolicyRefused(
            f"signing {action.id} is refused: {why}",
            remedy="Nothing was signed. Make a new plan; if this comes again, report it.",
        )
