"""``ship rollback`` on a Solana target: what going back would be, and going back, a release of its own and resumable like any."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from chains.solana.lifecycle import fold
from pipeline.manifest.project import Project
from pipeline.manifest.target import Target
from pipeline.options import DeployOptions
from pipeline.outcome import Outcome
from pipeline.plan import save_plan
from pipeline.programs.errands.kind import refuse_errand_under_way
from pipeline.programs.plan import ProgramPlan, load_program_plan, refuse_stale_program_plan
from pipeline.programs.preparing import ProgramPreflight, ProgramReady
from pipeline.programs.rollback.course import ProgramCourse, program_course
from pipeline.programs.rollback.planning import ProgramWay, plan_back
from pipeline.programs.rollback.record import shown_program_rollback
from pipeline.programs.run import finish
from pipeline.programs.session import ProgramSession, open_program_session
from pipeline.rollback.errors import OtherPlanUnderWay
from pipeline.rollback.running import RollbackOptions, RolledBack, held_to
from pipeline.step import Runner
from pipeline.steps.approve import Approve
from pipeline.ui.base import Ui

__all__ = ["roll_back_programs", "roll_back_programs_in", "show_program_rollback"]


def show_program_rollback(project: Project, target: Target, to: str | None, out: Path | None, ui: Ui) -> dict[str, Any]:
    """What going back would be, in the form of a rollback record; its plan is saved to ``out``. Sends nothing."""
    purpose = f"ship rollback --chain {target.name}"
    with open_program_session(project, target, ui, purpose=purpose, write=False) as session:
        ready = Runner(ui)(ProgramPreflight(session))
        found, ways, plan = _planned(session, to, ready)
        ui.block(_text(session, found, ways, plan))
        if out is not None and plan is not None:
            save_plan(out, plan)
            ui.block(f"\nsaved to {out}; go back by it with `{purpose} --execute --plan-file {out}`")
        return shown_program_rollback(session, found.rolls_back, found.returns_to, ways, plan)


def roll_back_programs(project: Project, target: Target, options: RollbackOptions, ui: Ui) -> RolledBack:
    """Go back, or go on with going back."""
    purpose = f"ship rollback --chain {target.name} --execute"
    with open_program_session(project, target, ui, purpose=purpose, write=True) as session:
        run = Runner(ui)
        return roll_back_programs_in(session, options, run(ProgramPreflight(session)), run)


def roll_back_programs_in(
    session: ProgramSession, options: RollbackOptions, ready: ProgramReady, run: Runner
) -> RolledBack:
    """In a session that is open for writing and whose cluster is confirmed."""
    plan = _unfinished(session, ready)
    if plan is None:
        found, _, planned = _planned(session, options.to, ready)
        if planned is None:
            told = dict(found.rolls_back.rollback or {})
            back = str(told.get("rolls_back", found.rolls_back.tag))
            return RolledBack(back, found.returns_to.tag if found.returns_to else None, 0, None)
        plan = held_to(session, planned, options, load_program_plan, refuse_stale_program_plan)
        _give_up_release(session)
        bundle = session.bundle(plan.bundle)
        run(Approve(session, plan, bundle, (), options.yes, options.saved, options.approvals, options.yes_by))
    outcome = Outcome(session.target.name)
    given = DeployOptions(yes=options.yes, password=options.password)
    finish(session, plan, session.bundle(plan.bundle), given, outcome, run)
    rollback = plan.rollback or {}
    record = Path(outcome.record) if outcome.record else None
    return RolledBack(
        rollback["rolls_back"], rollback["returns_to"], outcome.sent, record, tuple(rollback["state_risks"])
    )


def _planned(
    session: ProgramSession, to: str | None, ready: ProgramReady
) -> tuple[ProgramCourse, Sequence[ProgramWay], ProgramPlan | None]:
    found = program_course(session, to)
    if found.done:
        return found, [], None
    ways, plan = plan_back(session, found, deployer=ready.deployer, payer=ready.payer)
    return found, ways, plan


def _unfinished(session: ProgramSession, ready: ProgramReady) -> ProgramPlan | None:
    """The rollback to go on with. One of which nothing was signed yet is dropped: a new plan is as good."""
    if ready.unfinished is None:
        return None
    plan = session.plan(ready.unfinished)
    states = [fold(session.rows, plan.digest, action.id) for action in plan.body.actions]
    begun = any(state.attempts or state.waves for state in states)
    if begun:
        refuse_errand_under_way(plan)
    if plan.rollback is None:
        if begun and not all(state.final for state in states):
            raise OtherPlanUnderWay(
                f"a release to {session.target.name} is under way",
                remedy=f"Finish it (`ship deploy --chain {session.target.name}`) or give it up with --replan, then go back.",
            )
        return None
    if not begun:
        assert session.journal is not None
        session.journal.append("plan.abandoned", {"plan": plan.digest, "reason": "nothing of it was signed"})
        return None
    session.ui.note(f"going on with plan {plan.digest[:12]} of an earlier run")
    return plan


def _give_up_release(session: ProgramSession) -> None:
    """A release whose programs are final and whose checks failed is over when it is taken back."""
    from pipeline.session import unfinished_plan

    digest = unfinished_plan(session.rows)
    if digest is not None:
        assert session.journal is not None
        session.journal.append("plan.abandoned", {"plan": digest, "reason": "rolled back"})


def _text(session: ProgramSession, course: ProgramCourse, ways: Sequence[ProgramWay], plan: ProgramPlan | None) -> str:
    now, then = course.rolls_back, course.returns_to
    if plan is None:
        return f"\n{session.target.name} is at {then.tag if then else now.tag} already: nothing to send"
    assert plan.rollback is not None
    lines = [f"\nback from {now.tag} to {plan.rollback['returns_to']}, {plan.rollback['capability']}"]
    for way in ways:
        how = f"one transaction, from the buffer {way.buffer}" if way.buffer else "the bytes are written anew"
        lines += [
            f"  {way.now.name}  {way.strategy}, {way.now.program}: {how}",
            f"      from {way.now.sha256}",
            f"      to   {way.then.sha256}",
            f"      by   {plan.body.deployer}",
        ]
    if plan.rollback["accepted_risks"]:
        risks = plan.rollback["accepted_risks"]
        lines += ["", "  has to be accepted (--accept-state-risks):", *(f"  ! {text}" for text in risks)]
    lines += ["", session.render(plan), "", "  nothing was sent; `--execute` goes back"]
    return "\n".join(lines)
