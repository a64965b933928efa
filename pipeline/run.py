"""The pipeline, in order: the one place that shows what a release consists of.

    preflight → build → gates → plan → way back → approve → sign and deploy → verify → check → publish → record

A run that finds an accepted plan unfinished carries that plan on, with its own bundle; a run that finds nothing to do
says so and sends nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from chains.base import Clock
from chains.errors import Refused
from chains.evm.lifecycle import TxState, fold
from chains.evm.safe.lifecycle import fold_proposals
from pipeline.bundle import Bundle, load_bundle
from pipeline.manifest.project import Project
from pipeline.manifest.target import Target
from pipeline.options import DeployOptions
from pipeline.outcome import Outcome, UnitOutcome
from pipeline.plan import Envelope, Plan, load_plan
from pipeline.publishing.naming import names_services
from pipeline.reaching import Reached
from pipeline.rollback.automatic import refuse_rollback_under_way, rolled_back_on_failure
from pipeline.rotation.kind import is_rotation
from pipeline.session import Session, open_session
from pipeline.step import Runner, Skip
from pipeline.steps.approve import Approve
from pipeline.steps.arguments import CheckArguments
from pipeline.steps.build import Build
from pipeline.steps.check import Check
from pipeline.steps.deploy import Deploy
from pipeline.steps.gates import Judge
from pipeline.steps.plan import Planning
from pipeline.steps.preflight import Preflight
from pipeline.steps.record import Record
from pipeline.steps.safety import Safety, touches_proxies
from pipeline.steps.verify import Verify
from pipeline.steps.way_home import way_home
from pipeline.ui.base import Ui

__all__ = ["NothingToReplan", "OtherPlanUnfinished", "deploy", "refuse_other_candidate"]


class NothingToReplan(Refused):
    """SHIP-P04: ``--replan`` was asked for while a transaction is still on its way."""

    code = "SHIP-P04"


class RotationUnderWay(Refused):
    """SHIP-Z02: an unfinished rotation comes before any release."""

    code = "SHIP-Z02"


class OtherPlanUnfinished(Refused):
    """SHIP-P06: ``--plan`` names a plan while another one is unfinished."""

    code = "SHIP-P06"


def deploy(
    project: Project,
    target: Target,
    options: DeployOptions,
    ui: Ui,
    outcome: Outcome,
    *,
    clock: Clock | None = None,
    reached: Reached | None = None,
) -> None:
    """Release ``project`` to ``target``. ``outcome`` is filled in as far as the run comes; errors are raised."""
    purpose = f"ship deploy --chain {target.name}"
    with open_session(project, target, ui, purpose=purpose, write=True, clock=clock, reached=reached) as session:
        try:
            _deploy(session, options, outcome, Runner(ui))
        finally:
            outcome.units = unit_outcomes(session, outcome)


def _deploy(session: Session, options: DeployOptions, outcome: Outcome, run: Runner) -> None:
    # 1. The right chain, the right journal, a usable signer.
    ready = run(Preflight(session))
    unfinished = _to_carry_on(session, ready.unfinished, options)
    if unfinished is not None:
        # An earlier run stopped part-way: its plan, its bundle, its gates.
        plan = session.plan(unfinished)
        _no_rotation(session, plan)
        refuse_other_candidate(plan, options)
        bundle = load_bundle(session.state.project.bundles, plan.bundle)
        session.ui.note(f"going on with plan {plan.digest[:12]} of an earlier run")
    else:
        # 2. Source to bytes. 3. Everything that must pass before those bytes may be planned.
        # A promotion has both: a candidate's bytes, judged.
        if options.candidate is not None:
            bundle, gates = options.candidate.bundle, list(options.candidate.gates)
            run(CheckArguments(session, bundle, ready))
        else:
            built = run(Build(session.project, options.together or (session.target,), session.ui))
            bundle = built.bundle
            run(CheckArguments(session, bundle, ready))
            gates = [result.to_json() for result in run(Judge(session.project, built, session.ui))]
        # 4. What differs from the chain. 5. A yes to exactly that.
        plan = run(Planning(session, bundle, ready, options.saved, options.candidate))
        outcome.plan, outcome.bundle = plan.digest, bundle.digest
        if _recorded(session, plan):
            run.skip("deploying", Skip("the chain holds this release, and it is recorded"))
            outcome.record = str(record_path_of(session, plan))
            return
        if touches_proxies(session, plan):
            examined = run(Safety(session, bundle, plan))
            if examined.accepted or session.project.gates.layout is not None:
                gates.append(examined.to_json(bundle.digest))
        home = way_home(run, session, plan)
        run(Approve(session, plan, bundle, tuple(gates), options.yes, options.saved, options.approvals))
        home.keep()  # design law 6: before anything is sent
    outcome.plan, outcome.bundle, outcome.version = plan.digest, bundle.digest, plan.version
    # 6. Every transaction through the journal onto the chain.
    _send(session, plan, bundle, options, outcome, run)
    # 7. Our own proof of the bytes. 8. The project's checks. 9. Sources on explorers. 10. The record.
    proofs = run(Verify(session, plan))
    with rolled_back_on_failure(session, plan, options, run):
        checks = run(Check(session, plan))
    inner: tuple[str, ...] = ()
    if names_services(session.target):
        from pipeline.steps.publish import Publish  # start-up: not every target names a service

        inner = run(Publish(session, proofs, options.buckets)).inner
    recorded = run(Record(session, plan, proofs, checks, inner))
    outcome.record = str(recorded.path.relative_to(session.project.root))


def _no_rotation(session: Session, plan: Plan) -> None:
    refuse_rollback_under_way(session, plan)
    if is_rotation(plan):
        raise RotationUnderWay(
            f"a rotation of the key to {plan.body.handover} is under way on {session.target.name}",
            done="This run did nothing; what the rotation did so far is in the journal.",
            remedy=f"Finish it: `ship signer rotate --chain {session.target.name}`.",
        )


def refuse_other_candidate(plan: Envelope, options: DeployOptions) -> None:
    """``ship promote`` carries on its own promotion; whatever else is unfinished is another command's."""
    candidate = options.candidate
    if candidate is not None and (plan.promoted_from, plan.version) != (candidate.tag, candidate.version):
        whose = f"of {plan.tag}, promoted from {plan.promoted_from}," if plan.promoted_from else f"of {plan.tag}"
        raise OtherPlanUnfinished(
            f"a plan {whose} is unfinished on {plan.target}, and {candidate.tag} is another release",
            remedy=f"`ship deploy --chain {plan.target}` finishes it; `--replan` gives up what was not sent.",
        )


def _send(session: Session, plan: Plan, bundle: Bundle, options: DeployOptions, outcome: Outcome, run: Runner) -> None:
    if not plan.body.actions:
        run.skip(Deploy.title, Skip("nothing to send"))
        return
    server = None
    if options.serve_port is not None:
        from pipeline.rpc_signer import ScriptServer  # start-up: `ship rpc-signer` alone needs it

        server = ScriptServer(session, plan, options.serve_port)
    step = Deploy(session, plan, bundle, options.password, server)
    try:
        run(step)
    finally:
        outcome.sent = step.sent


def _recorded(session: Session, plan: Plan) -> bool:
    """Nothing to send, nothing adopted, and a record of this version says what is live."""
    quiet = all(unit.change in {"unchanged", "skip"} for unit in plan.body.units)
    return quiet and not plan.body.actions and session.state.record(plan.tag).exists()


def record_path_of(session: Session, plan: Plan) -> Path:
    """The newest record of the plan's version on this target, relative to the project."""
    return session.state.newest_record(plan.tag).relative_to(session.project.root)


def _to_carry_on(session: Session, unfinished: str | None, options: DeployOptions) -> str | None:
    """The unfinished plan to go on with. One of which nothing was reserved yet is dropped: a new plan is as good."""
    if unfinished is None:
        return None
    states = fold(session.rows, unfinished)
    if options.replan or not states:
        _abandon(session, unfinished, states, "--replan" if options.replan else "nothing of it was signed")
        return None
    if options.saved is not None and load_plan(options.saved).digest != unfinished:
        raise OtherPlanUnfinished(
            f"plan {unfinished[:12]} of an earlier run is unfinished, and --plan names another one",
            remedy=f"Run `ship deploy --chain {session.target.name}` to finish it first, or give it up with --replan.",
        )
    return unfinished


def _abandon(session: Session, digest: str, states: Mapping[str, TxState], reason: str) -> None:
    """Give up an unfinished plan. Refused while one of its transactions could still be mined."""
    on_its_way = [s.action for s in states.values() if s.stage in {"signed", "mined"}]
    if on_its_way:
        raise NothingToReplan(
            f"{', '.join(on_its_way)} of the unfinished plan may still be mined",
            remedy="Run without --replan until it has settled.",
        )
    for state in fold_proposals(session.rows, digest).values():
        if state.stage == "made":
            session.ui.note(
                f"{state.id} is given up here, but its owners can still execute {state.hash}; a transaction of theirs with the "
                f"Safe's nonce {state.tx.nonce if state.tx else '?'} ends that"
            )
    assert session.journal is not None
    session.journal.append("plan.abandoned", {"plan": digest, "reason": reason})


def unit_outcomes(session: Session, outcome: Outcome) -> dict[str, UnitOutcome]:
    """Every unit of the plan this run worked on: address, transaction, state."""
    if outcome.plan is None or outcome.plan not in session.plans:
        return {name: UnitOutcome(unit.address, None, "unchanged") for name, unit in session.live().items()}
    plan = session.plans[outcome.plan]
    states = fold(session.rows, plan.digest)
    proven = {
        proof["action"]
        for row in session.rows
        if row.kind == "plan.proven" and row.data["plan"] == plan.digest
        for proof in row.data["proofs"]
    }
    units = {}
    for planned in plan.body.units:
        actions = [a for a in plan.body.actions if a.unit == planned.name]
        address = planned.after.get("address")
        if not actions:
            word = {"skip": "skipped", "adopt": "adopted"}.get(planned.change, "unchanged")
            units[planned.name] = UnitOutcome(address, None, word)
            continue
        last = states.get(actions[-1].id)
        stages: list[str] = [states[a.id].stage if a.id in states else "planned" for a in actions]
        stage = next((s for s in stages if s != "final"), "final")
        if stage == "final" and any(a.id in proven for a in actions):
            stage = "proven"
        transaction = _transaction_of(last)
        units[planned.name] = UnitOutcome(address, transaction, stage)
    return units


def _transaction_of(state: TxState | None) -> str | None:
    if state is None or state.stage == "adopted":  # then somebody else's transaction made it
        return None
    if state.mined:
        return state.mined.hash
    return state.attempts[-1].hash if state.attempts else None
