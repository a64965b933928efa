"""An errand from its plan to its record: approved, sent, looked at, written down; resumable like any release."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from chains.canonical import sha256_hex
from chains.solana.lifecycle import fold
from pipeline.approvals.required import refuse_expired
from pipeline.bundle import Bundle
from pipeline.programs.errands.kind import Errand, errand_of, under_way
from pipeline.programs.errands.record import errand_path, errand_record, no_way_back, way_back
from pipeline.programs.plan import ProgramPlan, load_program_plan, refuse_stale_program_plan
from pipeline.programs.preparing import ProgramReady
from pipeline.programs.proving import VerifyPrograms
from pipeline.programs.sending import SendPrograms
from pipeline.programs.session import ProgramSession
from pipeline.rotation.record import rollback_path, write
from pipeline.signing.context import PasswordSource
from pipeline.step import Runner
from pipeline.steps.approve import Approve

__all__ = ["CarriedOut", "ErrandOptions", "carry_out", "planned_or_saved", "unfinished_errand"]


@dataclass(frozen=True)
class ErrandOptions:
    """As ``ship deploy`` has them. ``confirm``: by program, its address typed again."""

    yes: bool
    password: PasswordSource
    saved: Path | None = None
    approvals: Path | None = None
    confirm: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class CarriedOut:
    """Paths are relative to the project."""

    plan: ProgramPlan
    sent: int
    record: Path
    rollback: Path | None


def unfinished_errand(session: ProgramSession, ready: ProgramReady, wanted: Errand) -> ProgramPlan | None:
    """The errand of this kind to go on with. A plan of which nothing was signed yet is dropped: a new one is as good.

    Raises ``ErrandUnderWay`` for any other plan.
    """
    if ready.unfinished is None:
        return None
    assert session.journal is not None
    plan = session.plan(ready.unfinished)
    states = [fold(session.rows, plan.digest, action.id) for action in plan.body.actions]
    if not any(state.attempts or state.waves for state in states):
        reason = "nothing of it was signed"
        session.journal.append("plan.abandoned", {"plan": plan.digest, "reason": reason})
        return None
    if errand_of(plan) != wanted:
        raise under_way(plan)
    session.ui.note(f"going on with plan {plan.digest[:12]} of an earlier run")
    return plan


def planned_or_saved(
    session: ProgramSession, run: Runner, bundle: Bundle, options: ErrandOptions, make: Callable[[], ProgramPlan]
) -> ProgramPlan:
    """A new plan, or the saved one held against it; approved, and accepted in the journal."""
    plan = make()
    if options.saved is not None:
        saved = load_program_plan(options.saved)
        refuse_expired(session, saved)
        refuse_stale_program_plan(saved, plan)
        plan = saved
    run(Approve(session, plan, bundle, (), options.yes, options.saved, options.approvals))
    return plan


def carry_out(session: ProgramSession, plan: ProgramPlan, run: Runner, options: ErrandOptions) -> CarriedOut:
    """From the accepted plan to its record. How it is undone, or that it cannot be, is on disk before anything is sent."""
    assert session.journal is not None
    errand = errand_of(plan)
    assert errand is not None
    record = errand_path(session.state, plan, errand)
    back = rollback_path(record) if errand != "close" else None
    if back is not None:
        write(back, way_back(plan) if errand == "rotation" else no_way_back(plan))
    step = SendPrograms(session, plan, None, options.password, options.confirm)
    sent = run(step)
    run(VerifyPrograms(session, plan))
    content = write(record, errand_record(plan, session.journal.rows, errand))
    root = session.project.root
    relative = record.relative_to(root)
    session.journal.append(
        "plan.finished", {"plan": plan.digest, "record": str(relative), "sha256": sha256_hex(content)}
    )
    return CarriedOut(plan, sent, relative, back.relative_to(root) if back is not None else None)
