"""The plan was accepted, and by as many named people as the target asks for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chains.base import Row
from pipeline.approvals.files import Approval
from pipeline.approvals.judging import judge
from pipeline.manifest.policy_spec import PolicySpec
from pipeline.plan import Envelope
from pipeline.signing.rules.base import Request

__all__ = ["Approved"]


@dataclass(frozen=True)
class Approved:
    """``why_not`` is found once: the journal says who approved, and every signature is checked again."""

    why_not: str | None
    name: str = "approved"

    @classmethod
    def by(cls, rows: Sequence[Row], plan: Envelope, policy: PolicySpec) -> Approved:
        accepted = next(
            (r for r in reversed(rows) if r.kind == "plan.accepted" and r.data["plan"] == plan.digest), None
        )
        if accepted is None:
            return cls("nobody has approved this plan")
        if not policy.approvers or not policy.approvals:
            return cls(None)
        kept = [Approval.from_json(entry) for entry in accepted.data.get("approvals", ())]
        # They were in time when the plan was accepted; a release may take longer than they last.
        judged = judge(kept, plan, policy, now_s=None)
        if len(judged.valid) < policy.approvals:
            return cls(f"{len(judged.valid)} of {policy.approvals} approvals are in the journal")
        return cls(None)

    def problem(self, request: Request) -> str | None:
        return self.why_not
