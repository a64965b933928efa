"""``ship rollback``: what going back would be, and going back: a release of its own, resumable like any.

preflight → plan → the way forward again, rehearsed → approve → on disk → sign and send → verify → check → record
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chains.evm.lifecycle import fold
from chains.evm.safe.lifecycle import fold_proposals
from chains.evm.scene import SimulationUnsupported
from pipeline.approvals.required import refuse_expired
from pipeline.manifest.project import Project
from pipeline.manifest.target import Target
from pipeline.options import AnyPlan
from pipeline.plan import Plan, PlanStale, load_plan, refuse_stale, save_plan
from pipeline.rollback.builds import bundle_or_none
from pipeline.rollback.errors import CannotGoBack, OtherPlanUnderWay, StateAtRisk
from pipeline.rollback.family import family_of
from pipeline.rollback.history import Course, course
from pipeline.rollback.kind import is_rollback
from pipeline.rollback.model import Way
from pipeline.rollback.record import shown_record
from pipeline.rollback.text import render_course
from pipeline.rotation.kind import is_rotation
from pipeline.session import Session, open_session, unfinished_plan
from pipeline.signing.context import PasswordSource
from pipeline.step import Runner
from pipeline.steps.approve import Approve
from pipeline.steps.check import Check
from pipeline.steps.deploy import Deploy
from pipeline.steps.preflight import Preflight
from pipeline.steps.record import Record
from pipeline.steps.verify import Verify
from pipeline.steps.way_home import way_home
from pipeline.ui.base import Ui

if TYPE_CHECKING:
    from pipeline.programs.session import ProgramSession

__all__ = ["RollbackOptions", "RolledBack", "held_to", "roll_back", "roll_back_in", "show_rollback"]


@dataclass(frozen=True)
class RollbackOptions:
    """``to`` is a version; ``None`` is what was live before the newest release. ``saved`` is a plan file to be held to,
    ``approvals`` who agreed to it; ``accept`` takes the risks a person has to take; ``yes_by`` is who says yes."""

    to: str | None
    yes: bool
    password: PasswordSource
    accept: bool = False
    saved: Path | None = None
    approvals: Path | None = None
    yes_by: str = "--yes"


@dataclass(frozen=True)
class RolledBack:
    """What came out. ``record`` is relative to the project, ``None`` where there was nothing to do."""

    rolls_back: str
    returns_to: str | None
    transactions: int
    record: Path | None
    state_risks: tuple[str, ...] = field(default=())

    def to_json(self, target: str) -> dict[str, Any]:
        return {
            "schema": 1,
            "kind": "contract-ship/rolled-back",
            "target": target,
            "rolls_back": self.rolls_back,
            "returns_to": self.returns_to,
            "sent": self.transactions,
            "record": str(self.record) if self.record else None,
            "state_risks": list(self.state_risks),
        }


def show_rollback(project: Project, target: Target, to: str | None, out: Path | None, ui: Ui) -> dict[str, Any]:
    """What going back would be, in the form of a rollback record; its plan is saved to ``out``. Sends nothing."""
    purpose = f"ship rollback --chain {target.name}"
    with open_session(project, target, ui, purpose=purpose, write=False) as session:
        ready = Runner(ui)(Preflight(session))
        found = course(session, to)
        way, plan = _planned(session, found, ready.deployer)
        ui.block(render_course(found, way, plan, session.chain.identity.currency))
        if out is not None and plan is not None:
            save_plan(out, plan)
            ui.block(f"\nsaved to {out}; go back by it with `{purpose} --execute --plan-file {out}`")
        now, then = found.rolls_back.plan, found.returns_to.plan.tag if found.returns_to else None
        return shown_record(way, now.digest, now.tag, target.name, then, f"rollback-{now.digest[:16]}")


def roll_back(project: Project, target: Target, options: RollbackOptions, ui: Ui) -> RolledBack:
    """Go back, or go on with going back. Raises this package's errors and those of the steps."""
    purpose = f"ship rollback --chain {target.name} --execute"
    with open_session(project, target, ui, purpose=purpose, write=True) as session:
        run = Runner(ui)
        ready = run(Preflight(session))
        return roll_back_in(session, options, ready.deployer, run)


def roll_back_in(session: Session, options: RollbackOptions, deployer: str, run: Runner) -> RolledBack:
    """In a session that is open for writing and whose chain is confirmed."""
    plan = _unfinished(session, options)
    if plan is None:
        found = course(session, options.to)
        _way, planned = (None, None) if found.done else _planned(session, found, deployer)
        if planned is None or not planned.body.actions:
            then = found.returns_to.plan if found.returns_to else None
            rolled = dict(found.rolls_back.plan.rollback or {}) if found.done else {}
            back = str(rolled.get("rolls_back", found.rolls_back.plan.tag))
            return RolledBack(back, then.tag if then else None, 0, None)
        plan = held_to(session, planned, options, load_plan, refuse_stale)
        home = way_home(run, session, plan, required=False)
        _give_up_release(session)
        bundle = bundle_or_none(session, plan.bundle)
        run(Approve(session, plan, bundle, (), options.yes, options.saved, options.approvals, options.yes_by))
        home.keep()
    return _carried_out(session, plan, options, run)


def _carried_out(session: Session, plan: Plan, options: RollbackOptions, run: Runner) -> RolledBack:
    sent = run(Deploy(session, plan, bundle_or_none(session, plan.bundle), options.password))
    proofs = run(Verify(session, plan))
    checks = run(Check(session, plan))
    recorded = run(Record(session, plan, proofs, checks))
    told = plan.rollback or {}
    return RolledBack(
        told["rolls_back"],
        told["returns_to"],
        sent.transactions,
        recorded.path.relative_to(session.project.root),
        tuple(told["state_risks"]),
    )


def _planned(session: Session, found: Course, deployer: str) -> tuple[Way, Plan | None]:
    """The way and the plan that goes it; no plan where nothing is to go back."""
    family = family_of(session)
    then = found.returns_to.plan if found.returns_to else None
    try:
        way = family.way(
            session, found.before, session.live(), deployer=deployer, checks=then.body.checks if then else ()
        )
    except SimulationUnsupported as error:
        raise CannotGoBack(
            f"going back could not be tried: {error}", remedy="Use an endpoint that simulates, or install anvil."
        ) from error
    if not way.units and not way.all_redirects:
        if then is None:
            raise CannotGoBack(
                f"{found.rolls_back.plan.tag} is the first release to {session.target.name}: there is nothing to go back to, and "
                "ship.toml declares no [rollback.redirect]",
                remedy="Declare what is to happen instead (a pause, a registry entry) under [rollback.redirect], or release a "
                "corrected version.",
            )
        return way, None
    return way, family.plan(session, found, way, deployer=deployer)


def held_to(
    session: Session | ProgramSession,
    plan: AnyPlan,
    options: RollbackOptions,
    load: Callable[[Path], AnyPlan],
    hold: Callable[[AnyPlan, AnyPlan], None],
) -> AnyPlan:
    """The saved plan where one is named, read by ``load`` and held by ``hold`` against the one just made; with its risks accepted.

    Raises ``PlanStale``, ``PlanExpired``, ``StateAtRisk``.
    """
    assert plan.rollback is not None
    if options.saved is not None:
        saved = load(options.saved)
        hold(saved, plan)
        if saved.rollback != plan.rollback:
            raise PlanStale(
                "the saved plan is stale: what is taken back, or what that risks, is not what it says",
                remedy="Make a new plan, have it approved, and go back by that one.",
            )
        refuse_expired(session, saved)
        plan = saved
    risks = plan.rollback["accepted_risks"] if plan.rollback else ()
    if risks and not options.accept:
        raise StateAtRisk(
            "\n".join(risks), remedy="Where that is better than what is live now, say so with --accept-state-risks."
        )
    return plan


def _unfinished(session: Session, options: RollbackOptions) -> Plan | None:
    """The rollback to go on with. One of which nothing was reserved yet is dropped: a new plan is as good."""
    digest = unfinished_plan(session.rows)
    if digest is None:
        return None
    assert session.journal is not None
    plan, states = session.plan(digest), fold(session.rows, digest)
    name = session.target.name
    if is_rollback(plan):
        if not states and not fold_proposals(session.rows, digest):
            session.journal.append("plan.abandoned", {"plan": digest, "reason": "nothing of it was signed"})
            return None
        session.ui.note(f"going on with plan {digest[:12]} of an earlier run")
        return plan
    if is_rotation(plan):
        raise OtherPlanUnderWay(
            f"a rotation of the key is under way on {name}", remedy=f"Finish it: `ship signer rotate --chain {name}`."
        )
    on_its_way = [state.action for state in states.values() if state.stage in {"signed", "mined"}]
    if on_its_way:
        raise OtherPlanUnderWay(
            f"{', '.join(on_its_way)} of the unfinished release may still be mined",
            remedy=f"Let it settle first: `ship deploy --chain {name}`.",
        )
    return None


def _give_up_release(session: Session) -> None:
    """A release that stopped part-way is over when it is taken back: its own plan must not be carried on afterwards."""
    digest = unfinished_plan(session.rows)
    if digest is None:
        return
    assert session.journal is not None
    for state in fold_proposals(session.rows, digest).values():
        if state.stage == "made":
            session.ui.note(
                f"{state.id} is given up here, but its owners can still execute {state.hash}; a transaction of theirs with the "
                f"Safe's nonce {state.tx.nonce if state.tx else '?'} ends that"
            )
    session.journal.append("plan.abandoned", {"plan": digest, "reason": "rolled back"})
