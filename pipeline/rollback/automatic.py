"""A release taken back by itself when its post-deploy checks fail (``[rollback] automatic``)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from chains.errors import NeedsPerson, ShipError
from pipeline.options import DeployOptions
from pipeline.plan import Plan
from pipeline.rollback.errors import RollbackUnderWay
from pipeline.rollback.kind import is_rollback
from pipeline.session import Session
from pipeline.step import Runner
from pipeline.steps.check import CheckFailed

__all__ = ["refuse_rollback_under_way", "rolled_back_on_failure"]


def refuse_rollback_under_way(session: Session, plan: Plan) -> None:
    """A release does not carry on with a plan that takes one back. Raises ``RollbackUnderWay``."""
    if is_rollback(plan):
        raise RollbackUnderWay(
            f"a rollback to {plan.tag} is under way on {session.target.name}",
            done="This run did nothing; what the rollback did so far is in the journal.",
            remedy=f"Finish it: `ship rollback --chain {session.target.name} --execute`.",
        )


@contextmanager
def rolled_back_on_failure(session: Session, plan: Plan, options: DeployOptions, run: Runner) -> Iterator[None]:
    """The checks run inside. The error stays theirs, and so does the exit code: what became of the release is added to it.

    Only this target is rolled back. Risks that a person has to accept are accepted by nobody here, and approvals that the
    target asks for are not given by themselves: then the rollback is refused, and the error says why.
    """
    try:
        yield
    except CheckFailed as error:
        if not session.project.spec.rollback.automatic:
            raise
        raise _with_outcome(error, _roll_back(session, plan, options, run)) from error


def _roll_back(session: Session, plan: Plan, options: DeployOptions, run: Runner) -> str:
    from pipeline.rollback.running import RollbackOptions, roll_back_in

    session.ui.note("the checks failed: rolling back, as [rollback] automatic says")
    by = "[rollback] automatic"
    try:
        done = roll_back_in(session, RollbackOptions(None, True, options.password, yes_by=by), plan.body.deployer, run)
    except ShipError as refusal:
        return (
            f"The automatic rollback did not come through: {refusal.code}: {refusal.cause} "
            f"(`ship rollback --chain {session.target.name}` shows what it would be.)"
        )
    if done.record is None:
        return "The automatic rollback had nothing to send."
    return f"It was rolled back to {done.returns_to} by itself: {done.transactions} sent, record {done.record}."


def _with_outcome(error: CheckFailed, told: str) -> NeedsPerson:
    return CheckFailed(error.cause, done=f"{error.done} {told}", remedy=error.remedy, where=error.where)
