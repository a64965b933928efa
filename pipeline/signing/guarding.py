"""From a target, a plan and an opened key to the guard that stands before that key."""

from __future__ import annotations

import time

from chains.evm.actions import Action
from chains.evm.transaction import Fees, UnsignedTransaction
from pipeline.plan import Plan
from pipeline.session import Session
from pipeline.signing.base import EvmBackend
from pipeline.signing.guard import Guard
from pipeline.signing.rules.approved import Approved
from pipeline.signing.rules.base import Request, Rule
from pipeline.signing.rules.calls import AllowedCalls
from pipeline.signing.rules.chain import SameChain
from pipeline.signing.rules.init_code import ApprovedInitCode
from pipeline.signing.rules.key import KeptBy, PinnedSigner
from pipeline.signing.rules.kinds import AllowedKinds
from pipeline.signing.rules.spending import (
    Account,
    CostPerDay,
    CostPerRelease,
    GasCap,
    ValueCap,
    ValuePerRelease,
)
from pipeline.signing.spent import Ledger

__all__ = ["guard_for", "to_come"]


def guard_for(session: Session, plan: Plan, backend: EvmBackend) -> Guard:
    """Every rule of the target's ``[policy]``, and those that always hold."""
    assert session.journal is not None
    policy, body, signer = session.target.spec.policy, plan.body, session.target.spec.signer
    data_fee_wei = int(body.estimate.get("worst_l1_fee_wei", 0))
    account = Account(Ledger(session.journal.rows), plan.digest, time.time, data_fee_wei)
    rules: list[Rule] = [
        SameChain(body.chain, session.chain.identity.id, session.genesis_hash, session.target.chain.genesis),
        PinnedSigner(backend.address, body.deployer, signer.address if signer else None),
        Approved.by(session.journal.rows, plan, policy),
        ApprovedInitCode.of(body.actions),
    ]
    if policy.require is not None:
        rules.append(KeptBy(backend.name, backend.assurance, policy.require))
    if policy.allow_actions is not None:
        rules.append(AllowedKinds(frozenset(policy.allow_actions)))
    if policy.calls is not None:
        rules.append(AllowedCalls.of(policy.calls, body))
    if policy.max_value_per_transaction is not None:
        rules.append(ValueCap(policy.max_value_per_transaction))
    if policy.max_value_per_release is not None:
        rules.append(ValuePerRelease(policy.max_value_per_release, account))
    if policy.max_gas_per_transaction is not None:
        rules.append(GasCap(policy.max_gas_per_transaction))
    planned = body.limits.get("max_cost_wei")
    caps_wei = [cap for cap in (policy.max_cost, int(planned) if planned is not None else None) if cap is not None]
    if caps_wei:
        rules.append(CostPerRelease(min(caps_wei), account))
    if policy.max_cost_per_day is not None:
        rules.append(CostPerDay(policy.max_cost_per_day, account))
    return Guard(body, plan.digest, backend, session.journal, tuple(rules), account)


def to_come(plan: Plan, guard: Guard) -> list[Request]:
    """What of the plan was not signed yet, at the fees it was planned with."""
    guard.account.ledger.update()
    signed = {action for (_, action), _ in guard.account.ledger.of_plan(plan.digest)}
    return [_foreseen(plan, action) for action in plan.body.actions if action.id not in signed]


def _foreseen(plan: Plan, action: Action) -> Request:
    if action.kind == "proposal":
        return Request(action.id, bytes.fromhex(action.payload_digest), (action,), form="SafeTx")
    fees = Fees(int(plan.body.estimate.get("max_fee_per_gas_wei") or 0), 0)
    unsigned = UnsignedTransaction(
        plan.body.chain["id"], action.nonce, action.to, action.value_wei, action.data, action.gas_limit, fees
    )
    return Request(action.id, unsigned.signing_hash(), (action,), unsigned)
