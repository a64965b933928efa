"""What a deployment asks for before a plan is accepted: enough approvals, and a plan that is not too old."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from chains.errors import Refused
from pipeline.approvals.files import approvals_path, load_approvals
from pipeline.approvals.judging import Judged, judge
from pipeline.plan import Envelope
from pipeline.session import Session

if TYPE_CHECKING:
    from pipeline.programs.session import ProgramSession

__all__ = ["PlanExpired", "TooFewApprovals", "enough_approvals", "refuse_expired"]


class TooFewApprovals(Refused):
    """SHIP-A03: the target's policy asks for more approvals of this plan than there are."""

    code = "SHIP-A03"


class PlanExpired(Refused):
    """SHIP-A04: a saved plan is older than the policy lets plans become."""

    code = "SHIP-A04"


def enough_approvals(
    session: Session | ProgramSession, plan: Envelope, saved: Path | None, given: Path | None
) -> Judged | None:
    """The approvals that count, ``None`` where the target names nobody. ``saved`` is the plan's file, ``given`` theirs.

    Raises ``TooFewApprovals`` saying of each that does not count why.
    """
    policy = session.target.spec.policy
    if not policy.approvers or not policy.approvals:
        return None
    wanted = f"{plan.target} asks for {policy.approvals} of {len(policy.approvers)} approvals"
    how = f"`ship plan --chain {plan.target} --out PLAN.json`, then each approver `ship approve PLAN.json`, then "
    how += f"`ship deploy --chain {plan.target} --plan PLAN.json`."
    if saved is None:
        raise TooFewApprovals(f"{wanted}, and this plan was made just now", remedy=how)
    path = given if given is not None else approvals_path(saved)
    found = load_approvals(path) if given is not None or path.exists() else []
    judged = judge(found, plan, policy, now_s=max(time.time(), session.chain_time_s() or 0))
    if len(judged.valid) < policy.approvals:
        have = f"{len(judged.valid)} count{'s' if len(judged.valid) == 1 else ''}"
        why = "".join(f"; {reason}" for reason in judged.refused)
        raise TooFewApprovals(f"{wanted} of exactly this plan, {have}{why}", remedy=f"Collect more: {how}")
    for reason in judged.refused:
        session.ui.note(f"an approval does not count: {reason}")
    return judged


def refuse_expired(session: Session | ProgramSession, saved: Envelope) -> None:
    """By the chain's own clock, from the block the plan was made at. Raises ``PlanExpired``."""
    limit_s = session.target.spec.policy.plan_valid_for_s
    made_s, now_s = session.chain_time_s(saved), session.chain_time_s()
    if made_s is None or now_s is None or now_s - made_s > limit_s:
        age = f"{(now_s - made_s) // 60} minutes" if made_s is not None and now_s is not None else "unknown"
        raise PlanExpired(
            f"the saved plan's age is {age}, `plan-valid-for` allows {limit_s // 60} minutes",
            remedy="Make a new plan, have it approved, and deploy that one.",
        )
