"""Writing the next request without deploying: with other fees, to another place, or anew."""

from __future__ import annotations

from pathlib import Path

from chains.errors import Refused
from chains.evm.lifecycle import TxState, fold
from chains.evm.safe.lifecycle import fold_proposals
from pipeline.bundle import load_bundle
from pipeline.manifest.families import NO_TIME_TO_CARRY, evm_target
from pipeline.manifest.project import load_project
from pipeline.plan import Plan
from pipeline.proposals.parts import Part, parts, shift_of
from pipeline.session import Session, open_session, unfinished_plan
from pipeline.signing.carried import CarriedPolicy
from pipeline.signing.guard import GuardedPolicy
from pipeline.signing.guarding import guard_for
from pipeline.signing.offline.files import Request, read_request
from pipeline.signing.offline.round import Round, RoundOptions
from pipeline.signing.offline_backend import OfflineBackend
from pipeline.signing.opening import open_backend
from pipeline.signing.password import PasswordOptions
from pipeline.signing.policy import PlanPolicy
from pipeline.ui.base import Ui

__all__ = ["export_request"]


class NothingToSign(Refused):
    """SHIP-O08: there is nothing the other machine could sign now."""

    code = "SHIP-O08"


def export_request(
    root: Path, target_name: str, options: RoundOptions, ui: Ui, out: Path | None
) -> tuple[Path, Request]:
    """Where the request lies, and the request. Raises ``NothingToSign`` and what ``Round.open`` raises."""
    project = load_project(root)
    target = evm_target(project, target_name, *NO_TIME_TO_CARRY)
    with open_session(project, target, ui, purpose=f"ship sign export --chain {target.name}", write=True) as session:
        session.confirm_chain()
        backend = open_backend(target, project.root, PasswordOptions())
        digest = unfinished_plan(session.rows)
        if digest is None or not isinstance(backend, OfflineBackend):
            raise NothingToSign(
                f"{target.name} has no plan under way"
                if digest is None
                else f"the signer of {target.name} is {backend.name}, which signs by itself",
                remedy=f"`ship deploy --chain {target.name}` plans, asks for approval, and signs or writes the request.",
            )
        plan = session.plan(digest)
        path = _open(session, plan, backend, options)
        if path is None:
            raise NothingToSign(
                "no transaction of the plan waits for a signature now",
                remedy=f"`ship deploy --chain {target.name}` goes on with the plan.",
            )
    request = read_request(path)
    if out is not None:
        request.write(out)
    return out or path, request


def _open(session: Session, plan: Plan, backend: OfflineBackend, options: RoundOptions) -> Path | None:
    assert session.journal is not None
    bundle = load_bundle(session.state.project.bundles, plan.bundle)
    part = _current(session, plan)
    if part is None or part.proposals:
        return None
    actions = part.moved(shift_of(part, session.journal.rows, plan.digest))
    carried = PlanPolicy(plan.body, {a.id: a for a in actions})
    guard = guard_for(session, plan, backend)
    policy = GuardedPolicy(CarriedPolicy(plan.body, carried, fold_proposals(session.journal.rows, plan.digest)), guard)
    return Round(session, plan, bundle, backend, policy, actions, options).open()


def _current(session: Session, plan: Plan) -> Part | None:
    """The part of the plan that is not done."""
    assert session.journal is not None
    states = fold(session.journal.rows, plan.digest)
    return next(
        (
            p
            for p in parts(plan.body)
            if any(states.get(a.id, TxState(a.id)).stage not in {"final", "adopted"} for a in p.actions)
        ),
        None,
    )
