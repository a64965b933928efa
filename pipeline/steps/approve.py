"""Approving: named people by their signatures, or whoever runs the command, say yes to exactly this plan."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from chains.errors import Refused
from pipeline.approvals.required import enough_approvals
from pipeline.bundle import Bundle
from pipeline.plan import Envelope, save_plan
from pipeline.session import Session

if TYPE_CHECKING:
    from pipeline.programs.session import ProgramSession

__all__ = ["Approve", "Approved", "NotApproved"]


class NotApproved(Refused):
    """SHIP-A01: nobody said yes to the plan."""

    code = "SHIP-A01"


@dataclass(frozen=True)
class Approved:
    """By what the plan was approved: names, ``prompt``, ``--yes``, or ``local`` for the embedded chain."""

    by: str


@dataclass(frozen=True)
class Approve:
    """Shows the plan, once its bytes were read a second time and say the same; asks; and writes the accepted plan and
    its row before anything is signed."""

    session: Session | ProgramSession
    plan: Envelope
    bundle: Bundle
    gates: tuple[dict[str, object], ...]
    yes: bool
    saved: Path | None = None
    approvals: Path | None = None
    yes_by: str = "--yes"
    title: str = "approving"

    def run(self) -> Approved:
        self.session.second_look(self.plan, self.bundle)
        self.session.ui.block(self.session.render(self.plan))
        signed = enough_approvals(self.session, self.plan, self.saved, self.approvals)
        by = ", ".join(signed.names) if signed is not None else self._by()
        save_plan(self.session.state.plan(self.plan.digest), self.plan)
        self.session.know(self.plan)
        assert self.session.journal is not None
        accepted = {
            "plan": self.plan.digest,
            "bundle": self.plan.bundle,
            "version": self.plan.version,
            "commit": self.plan.commit,
            "dirty": self.plan.dirty,
            **({"promoted_from": self.plan.promoted_from} if self.plan.promoted_from is not None else {}),
            "approved_by": by,
            "gates": list(self.gates),
            **({"approvals": [approval.to_json() for approval in signed.valid]} if signed is not None else {}),
        }
        # What is adopted comes first: once the plan is accepted, a killed run goes on behind this step.
        for unit in self.plan.body.units:
            if unit.change == "adopt":
                self.session.journal.append(
                    "unit.adopted", {"plan": self.plan.digest, "unit": unit.name, "effect": dict(unit.after)}
                )
        self.session.journal.append("plan.accepted", accepted)
        return Approved(by)

    def _by(self) -> str:
        if self.yes:
            return self.yes_by
        if self.session.target.chain.local:
            return "local"
        answer = self.session.ui.confirm(f"Send this to {self.plan.target}?")
        if answer is None:
            raise NotApproved(
                "the plan needs a yes and there is no terminal to ask on",
                remedy="Look at it with `ship plan`, then run with --yes, or with --plan FILE --yes.",
            )
        if not answer:
            raise NotApproved("the plan was not approved", remedy="Run again when it is right.")
        return "prompt"

    def summary(self, result: Approved) -> str:
        return f"plan {self.plan.digest[:12]} by {result.by}"
