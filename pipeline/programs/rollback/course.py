"""From which release to which: read from the journal alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from chains.solana.live import LiveProgram, live_programs
from pipeline.programs.errands.kind import errand_of
from pipeline.programs.plan import ProgramPlan
from pipeline.programs.session import ProgramSession
from pipeline.rollback.errors import NothingToRollBack
from pipeline.session import accepted_plans

__all__ = ["ProgramCourse", "program_course"]


@dataclass(frozen=True)
class ProgramCourse:
    """``before`` is gone back to. ``done``: the newest change was a rollback, so that nothing is to be done unasked."""

    rolls_back: ProgramPlan
    returns_to: ProgramPlan | None
    before: Mapping[str, LiveProgram]
    done: bool = False


def program_course(session: ProgramSession, to: str | None) -> ProgramCourse:
    """To the release called ``to``, else to what ran before the newest. Raises ``NothingToRollBack``."""
    rows, bodies = session.rows, session.bodies()
    changes = {"deploy", "upgrade"}
    moved = {
        (digest, action.id) for digest, body in bodies.items() for action in body.actions if action.kind in changes
    }
    touching = [row for row in rows if row.kind == "sol.final" and (row.data["plan"], row.data["unit"]) in moved]
    if not touching:
        raise NothingToRollBack(
            f"nothing was released to {session.target.name} that could be taken back",
            remedy="`ship history` lists releases.",
        )
    newest = session.plan(touching[-1].data["plan"])
    if to is None:
        if newest.rollback is not None:
            return ProgramCourse(newest, _named(session, str(newest.rollback["returns_to"])), session.live(), done=True)
        first = next(row for row in touching if row.data["plan"] == newest.digest)
        before = live_programs([row for row in rows if row.seq < first.seq], bodies)
        earlier = [session.plan(r.data["plan"]) for r in touching if r.seq < first.seq]
        return ProgramCourse(newest, earlier[-1] if earlier else None, before)
    target = _named(session, f"v{to.removeprefix('v')}")
    if target is None:
        known = dict.fromkeys(
            p.tag for p in map(session.plan, accepted_plans(rows)) if p.rollback is None and errand_of(p) is None
        )
        raise NothingToRollBack(
            f"no finished release of {session.target.name} is called {to}", remedy=f"Name one of: {', '.join(known)}."
        )
    finished = next(row for row in reversed(rows) if row.kind == "plan.finished" and row.data["plan"] == target.digest)
    return ProgramCourse(newest, target, live_programs([row for row in rows if row.seq <= finished.seq], bodies))


def _named(session: ProgramSession, tag: str) -> ProgramPlan | None:
    """The newest finished release of this tag; rollbacks, which have the tag they return to, are none."""
    for row in reversed(session.rows):
        if row.kind == "plan.finished":
            plan = session.plan(row.data["plan"])
            if plan.tag == tag and plan.rollback is None and errand_of(plan) is None:
                return plan
    return None
