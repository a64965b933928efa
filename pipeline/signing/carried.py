"""The policy of a plan with proposals: its transactions as approved, their nonces moved by executions of our own.

An execution carries signatures nobody had when the plan was approved. Everything else in it is held against the plan.
"""

from __future__ import annotations

from dataclasses import dataclass

from chains.evm.actions import Action, EvmPlan
from chains.evm.safe.lifecycle import ProposalState
from chains.evm.safe.typed import SafeTx, approve_hash, decode_exec, domain_separator
from chains.evm.transaction import UnsignedTransaction
from pipeline.signing.base import PolicyRefused
from pipeline.signing.policy import PlanPolicy

__all__ = ["CarriedPolicy", "gas_allowed"]


def gas_allowed(plan: EvmPlan, proposal: str) -> int:
    """The most gas an execution may use: what its calls were simulated with, and what a Safe adds for its owners."""
    planned = next(p for p in plan.proposals if p.id == proposal)
    calls = sum(a.gas_limit for a in plan.actions if a.id in planned.actions)
    return calls + 200_000 + 60_000 * len(planned.owners)


@dataclass(frozen=True)
class CarriedPolicy:
    """``carried`` is the part of ``approved`` that is sent now, with the nonces it has now."""

    approved: EvmPlan
    carried: PlanPolicy
    states: dict[str, ProposalState]

    def allow(self, unsigned: UnsignedTransaction, action: Action) -> None:
        """Raises ``PolicyRefused`` naming the first rule that does not hold."""
        self.carried.allow(unsigned, action)
        planned = next((a for a in self.approved.actions if a.id == action.id), None)
        if planned is None:
            self._allow_execution(unsigned, action)
        elif planned.kind == "proposal":
            raise self._no(action, "it is a proposal, not a transaction")
        elif planned.payload_digest != action.payload_digest or planned.gas_limit != action.gas_limit:
            raise self._no(action, "it is not what the plan holds under this name")
        elif planned.kind == "create" and planned.nonce != unsigned.nonce:
            raise self._no(action, "its address rests on another nonce")

    def _allow_execution(self, unsigned: UnsignedTransaction, action: Action) -> None:
        name = action.id.partition(".execute")[0].partition(".approve")[0]
        proposal = next((p for p in self.approved.proposals if p.id == name), None)
        state = self.states.get(name)
        if proposal is None or state is None or state.tx is None:
            raise self._no(action, "it is not an action of the plan")
        try:
            tx, _ = decode_exec(unsigned.data, 0)
        except ValueError as error:
            raise self._no(action, str(error)) from error
        digest = proposal.tx.with_nonce(state.tx.nonce).hash(
            domain_separator(int(self.approved.chain["id"]), proposal.safe)
        )
        nested = {n.safe for n in state.nested}
        own = unsigned.to == proposal.safe and tx == proposal.tx.with_nonce(0)
        approval = unsigned.to in nested and tx == SafeTx(proposal.safe, 0, approve_hash(digest), 0, 0)
        if not (own or approval) or unsigned.value_wei:
            raise self._no(action, "what it executes is not the plan's proposal")
        if unsigned.gas_limit > gas_allowed(self.approved, name):
            raise self._no(action, "it needs more gas than was simulated")

    @staticmethod
    def _no(action: Action, why: str) -> PolicyRefused:
        return PolicyRefused(
            f"signing {action.id} is refused: {why}",
            remedy="Nothing was signed. Make a new plan; if this comes again, report it.",
        )
