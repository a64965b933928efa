"""``ship signer rotate``: a release of its own, planned, approved, journaled, recorded, and resumable like any.

preflight → plan → approve → the way back, on disk → sign and send → the old key holds nothing → record
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from chains.canonical import sha256_hex
from chains.errors import Refused
from chains.evm.lifecycle import fold
from pipeline.approvals.required import refuse_expired
from pipeline.manifest.project import Project
from pipeline.manifest.target import Target
from pipeline.plan import Plan, load_plan, refuse_stale, save_plan
from pipeline.plan_text import render_plan
from pipeline.rotation.kind import is_rotation
from pipeline.rotation.planning import bundle_of, plan_rotation
from pipeline.rotation.record import rollback_path, rotation_path, rotation_record, way_back, write
from pipeline.session import Session, open_session
from pipeline.signing.context import PasswordSource
from pipeline.step import Runner
from pipeline.steps.approve import Approve
from pipeline.steps.deploy import Deploy
from pipeline.steps.handover import rights_left
from pipeline.steps.preflight import Preflight
from pipeline.ui.base import Ui

__all__ = ["RotateOptions", "Rotated", "rotate", "save_rotation"]


class ReleaseUnfinished(Refused):
    """SHIP-Z03: a release is under way on the target, and a rotation cannot begin."""

    code = "SHIP-Z03"


class NoSuccessor(Refused):
    """SHIP-Z04: nobody was named to rotate to, or somebody else than the rotation under way."""

    code = "SHIP-Z04"


@dataclass(frozen=True)
class RotateOptions:
    """``to`` is the new address; ``None`` goes on with a rotation that was begun.

    ``saved`` is a plan file to be held to, and ``approvals`` who agreed to it, where the target asks for that.
    """

    to: str | None
    yes: bool
    password: PasswordSource
    saved: Path | None = None
    approvals: Path | None = None


@dataclass(frozen=True)
class Rotated:
    """What came out. Paths are relative to the project."""

    old: str
    new: str
    transactions: int
    record: Path
    rollback: Path


def rotate(project: Project, target: Target, options: RotateOptions, ui: Ui) -> Rotated:
    """Move every right. Raises this module's errors and those of the steps."""
    purpose = f"ship signer rotate --chain {target.name}"
    with open_session(project, target, ui, purpose=purpose, write=True) as session:
        return _rotate(session, options, Runner(ui))


def save_rotation(project: Project, target: Target, to: str, out: Path, ui: Ui) -> Plan:
    """Plan the rotation to ``to`` and save it, for approvers and for ``RotateOptions.saved``. Sends nothing."""
    purpose = f"ship signer rotate --chain {target.name} --out"
    with open_session(project, target, ui, purpose=purpose, write=False) as session:
        ready = Runner(ui)(Preflight(session))
        plan = plan_rotation(session, bundle_of(session), ready.deployer, to)
        save_plan(out, plan)
        ui.block(render_plan(plan, session.chain.identity.currency))
    return plan


def _rotate(session: Session, options: RotateOptions, run: Runner) -> Rotated:
    assert session.journal is not None
    ready = run(Preflight(session))
    bundle = bundle_of(session)
    plan = _unfinished(session, ready.unfinished, options)
    if plan is None:
        saved = load_plan(options.saved) if options.saved is not None else None
        to = str(saved.body.handover) if saved is not None and options.to is None else options.to
        if to is None:
            raise NoSuccessor(
                "nobody is named to rotate to, and no rotation is under way",
                remedy="Give --to ADDRESS or --to-signer FILE.",
            )
        plan = plan_rotation(session, bundle, ready.deployer, to)
        if saved is not None:
            refuse_expired(session, saved)
            refuse_stale(saved, plan)
            plan = saved
        run(Approve(session, plan, bundle, (), options.yes, options.saved, options.approvals))
    record = rotation_path(session.state, plan)
    write(rollback_path(record), way_back(plan))  # design law 6: before anything is sent
    sent = run(Deploy(session, plan, bundle, options.password))
    rights_left(session, plan)
    content = write(record, rotation_record(plan, session.journal.rows))
    relative = record.relative_to(session.project.root)
    session.journal.append(
        "plan.finished", {"plan": plan.digest, "record": str(relative), "sha256": sha256_hex(content)}
    )
    back = rollback_path(record).relative_to(session.project.root)
    return Rotated(plan.body.deployer, str(plan.body.handover), sent.transactions, relative, back)


def _unfinished(session: Session, digest: str | None, options: RotateOptions) -> Plan | None:
    """The rotation to go on with. One of which nothing was reserved yet is dropped: a new plan is as good."""
    if digest is None:
        return None
    assert session.journal is not None
    plan, begun = session.plan(digest), fold(session.rows, digest)
    if not begun and (is_rotation(plan) or options.to is not None):
        session.journal.append("plan.abandoned", {"plan": digest, "reason": "nothing of it was signed"})
        return None
    if not is_rotation(plan):
        name = session.target.name
        raise ReleaseUnfinished(
            f"a release to {name} is unfinished: its plan was made for the old key",
            remedy=f"Finish it with `ship deploy --chain {name}`. If its key leaked: docs/guide/key-rotation.md.",
        )
    if options.to is not None and options.to.lower() != str(plan.body.handover).lower():
        raise NoSuccessor(
            f"the rotation under way is to {plan.body.handover}, not to {options.to}",
            remedy="Run again without --to to finish it, then rotate on from there.",
        )
    return plan
