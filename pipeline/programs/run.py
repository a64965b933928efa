"""A release to a Solana cluster, in order.

    preflight → build → gates → plan → approve → sign and deploy → verify → check → record

As ``pipeline.run`` for EVM chains: a run that finds an accepted plan unfinished carries that plan on, with its own bundle.
"""

from __future__ import annotations

from pathlib import Path

from chains.base import Clock
from chains.errors import ShipError
from chains.solana.lifecycle import UnitState, fold
from pipeline.bundle import Bundle
from pipeline.manifest.project import Project
from pipeline.manifest.target import Target
from pipeline.options import DeployOptions
from pipeline.outcome import Outcome, UnitOutcome
from pipeline.programs.errands.kind import refuse_errand_under_way
from pipeline.programs.plan import ProgramPlan, load_program_plan
from pipeline.programs.preparing import ProgramPlanning, ProgramPreflight, ProgramReady
from pipeline.programs.proving import CheckPrograms, VerifyPrograms
from pipeline.programs.publishing import PublishBuilds, names_build_service
from pipeline.programs.record import RecordPrograms
from pipeline.programs.rollback.ahead import KeepWayBack
from pipeline.programs.sending import SendPrograms
from pipeline.programs.session import ProgramSession, open_program_session
from pipeline.rollback.errors import RollbackUnderWay
from pipeline.run import NothingToReplan, OtherPlanUnfinished, refuse_other_candidate
from pipeline.session import unfinished_plan
from pipeline.step import Runner, Skip
from pipeline.steps.approve import Approve
from pipeline.steps.build import Build
from pipeline.steps.check import CheckFailed
from pipeline.steps.gates import Judge
from pipeline.ui.base import Ui

__all__ = ["deploy_programs", "finish", "plan_to_carry_on"]


def deploy_programs(
    project: Project, target: Target, options: DeployOptions, ui: Ui, outcome: Outcome, *, clock: Clock | None = None
) -> None:
    """Release ``project`` to ``target``. ``outcome`` is filled in as far as the run comes; errors are raised."""
    purpose = f"ship deploy --chain {target.name}"
    with open_program_session(project, target, ui, purpose=purpose, write=True, clock=clock) as session:
        try:
            _deploy(session, options, outcome, Runner(ui))
        finally:
            outcome.units = _unit_outcomes(session, outcome)


def _deploy(session: ProgramSession, options: DeployOptions, outcome: Outcome, run: Runner) -> None:
    ready = run(ProgramPreflight(session))
    unfinished = plan_to_carry_on(session, ready.unfinished, options.saved, replan=options.replan)
    if unfinished is not None:
        plan = session.plan(unfinished)
        if plan.rollback is not None:
            raise RollbackUnderWay(
                f"a rollback to {plan.tag} is under way on {session.target.name}",
                done="This run did nothing; what the rollback did so far is in the journal.",
                remedy=f"Finish it: `ship rollback --chain {session.target.name} --execute`.",
            )
        refuse_other_candidate(plan, options)
        bundle = session.bundle(plan.bundle)
        session.ui.note(f"going on with plan {plan.digest[:12]} of an earlier run")
    else:
        if options.candidate is not None:
            bundle, gates = options.candidate.bundle, options.candidate.gates
        else:
            made = run(Build(session.project, options.together or (session.target,), session.ui))
            bundle = made.bundle
            gates = tuple(result.to_json() for result in run(Judge(session.project, made, session.ui)))
        plan = run(ProgramPlanning(session, bundle, ready, options.saved, options.candidate))
        outcome.plan, outcome.bundle = plan.digest, bundle.digest
        if _recorded(session, plan):
            run.skip(SendPrograms.title, Skip("the cluster runs this release, and it is recorded"))
            outcome.record = str(session.state.newest_record(plan.tag).relative_to(session.project.root))
            return
        if plan.body.actions:
            run(KeepWayBack(session, plan))
        run(Approve(session, plan, bundle, gates, options.yes, options.saved, options.approvals))
    outcome.plan, outcome.bundle, outcome.version = plan.digest, bundle.digest, plan.version
    try:
        finish(session, plan, bundle, options, outcome, run)
    except CheckFailed as error:
        if not session.project.spec.rollback.automatic:
            raise
        told = _taken_back(session, ready, options, run)
        raise CheckFailed(error.cause, done=f"{error.done} {told}", remedy=error.remedy, where=error.where) from error


def _taken_back(session: ProgramSession, ready: ProgramReady, options: DeployOptions, run: Runner) -> str:
    """What became of a release whose checks failed, where ``[rollback] automatic`` says so. The error stays the checks'."""
    from pipeline.programs.rollback.running import roll_back_programs_in  # it ends as a release does, by ``finish``
    from pipeline.rollback.running import RollbackOptions

    session.ui.note("the checks failed: rolling back, as [rollback] automatic says")
    given = RollbackOptions(None, True, options.password, yes_by="[rollback] automatic")
    now = ProgramReady(ready.deployer, ready.payer, unfinished_plan(session.rows))
    try:
        done = roll_back_programs_in(session, given, now, run)
    except ShipError as refusal:
        return f"The automatic rollback did not come through: {refusal.code}: {refusal.cause}"
    if done.record is None:
        return "The automatic rollback had nothing to send."
    return f"It was rolled back to {done.returns_to} by itself: {done.transactions} sent, record {done.record}."


def finish(
    session: ProgramSession, plan: ProgramPlan, bundle: Bundle, options: DeployOptions, outcome: Outcome, run: Runner
) -> None:
    """From the accepted plan to its record: for releases and for rollbacks."""
    if plan.body.actions:
        step = SendPrograms(session, plan, bundle, options.password)
        try:
            run(step)
        finally:
            outcome.sent = step.sent
    else:
        run.skip(SendPrograms.title, Skip("nothing to send"))
    proofs = run(VerifyPrograms(session, plan))
    checks = run(CheckPrograms(session, plan, bundle))
    if names_build_service(session):
        run(PublishBuilds(session, plan, options.buckets))
    recorded = run(RecordPrograms(session, plan, proofs, checks))
    outcome.record = str(recorded.path.relative_to(session.project.root))


def _recorded(session: ProgramSession, plan: ProgramPlan) -> bool:
    """Nothing to send, and a record of this version says what is live."""
    live = session.live()
    known = all(unit.name in live for unit in plan.body.units if "program_data" in unit.after)
    return known and not plan.body.actions and session.state.record(plan.tag).exists()


def plan_to_carry_on(
    session: ProgramSession, unfinished: str | None, saved: Path | None, *, replan: bool
) -> str | None:
    """The unfinished plan to go on with. One of which nothing was signed yet is dropped: a new plan is as good.

    Raises ``NothingToReplan`` while a transaction of it may still land, and ``OtherPlanUnfinished``.
    """
    if unfinished is None:
        return None
    body = session.plan(unfinished).body
    states = [fold(session.rows, unfinished, action.id) for action in body.actions]
    begun = any(state.attempts or state.waves for state in states)
    if replan or not begun:
        pending = [state.unit for state in states if _may_land(session, body.payer, state)]
        if pending:
            raise NothingToReplan(
                f"{', '.join(pending)} of the unfinished plan may still land",
                remedy="Run without --replan until it has settled: a blockhash lasts about a minute.",
            )
        assert session.journal is not None
        reason = "--replan" if replan else "nothing of it was signed"
        session.journal.append("plan.abandoned", {"plan": unfinished, "reason": reason})
        return None
    refuse_errand_under_way(session.plan(unfinished))
    if saved is not None and load_program_plan(saved).digest != unfinished:
        raise OtherPlanUnfinished(
            f"plan {unfinished[:12]} of an earlier run is unfinished, and --plan names another one",
            remedy=f"Run `ship deploy --chain {session.target.name}` to finish it first, or give it up with --replan.",
        )
    return unfinished


def _may_land(session: ProgramSession, payer: str, state: UnitState) -> bool:
    """Whether something that was signed may still change the program; writes to a buffer of its own do not matter."""
    if state.final is not None:
        return False
    # The lowest of what the providers say: one that is ahead of the cluster would have a live transaction taken for dead.
    heights = [height.block_height for _, height, _, _ in session.cluster.each([payer], [])]
    height = min(heights) if len(heights) >= (1 if session.rpc.alone else 2) else -1
    open_ones = [
        a[-1] for step, a in state.attempts.items() if step not in state.confirmed and step not in state.failed
    ]
    return any(one.signature not in state.expired and one.last_valid_height >= height for one in open_ones)


def _unit_outcomes(session: ProgramSession, outcome: Outcome) -> dict[str, UnitOutcome]:
    """Every unit of the plan this run worked on: address, transaction, state."""
    live = session.live() if outcome.plan is None or outcome.plan not in session.plans else {}
    if outcome.plan is None or outcome.plan not in session.plans:
        return {name: UnitOutcome(unit.program, unit.signature, "unchanged") for name, unit in live.items()}
    plan = session.plans[outcome.plan]
    proven = any(row.kind == "plan.proven" and row.data["plan"] == plan.digest for row in session.rows)
    units = {}
    for planned in plan.body.units:
        actions = [a for a in plan.body.actions if a.unit == planned.name and a.kind != "stage"]
        address = planned.after.get("address")
        if not actions:
            units[planned.name] = UnitOutcome(address, None, "skipped" if planned.change == "skip" else "unchanged")
            continue
        states = [fold(session.rows, plan.digest, action.id) for action in actions]
        stage = next((_stage(state) for state in states if state.final is None), "proven" if proven else "final")
        signature = (states[-1].final or {}).get("signature")
        units[planned.name] = UnitOutcome(address, signature, stage)
    return units


def _stage(state: UnitState) -> str:
    if state.failed:
        return "reverted"
    return "signed" if state.attempts or state.waves else "planned"
