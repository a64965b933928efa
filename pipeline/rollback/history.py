"""What was released on a target, in order, and the state each release left behind. From journal and plans alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from chains.base import Row
from chains.evm.live import LiveUnit, live_units
from pipeline.plan import Plan
from pipeline.rollback.errors import NothingToRollBack
from pipeline.rollback.kind import is_rollback
from pipeline.rotation.kind import is_rotation
from pipeline.session import Session

__all__ = ["Course", "Event", "course", "events", "state_after"]

_EFFECTS = {"tx.final", "proposal.executed", "unit.adopted"}


@dataclass(frozen=True)
class Event:
    """An accepted plan. ``accepted`` and ``finished`` are rows; ``touched``: something of it reached the chain for good."""

    plan: Plan
    accepted: int
    finished: int | None
    touched: bool


@dataclass(frozen=True)
class Course:
    """From what is live to what was. ``returns_to`` is ``None`` where nothing came before: then ``before`` is empty."""

    rolls_back: Event
    returns_to: Event | None
    before: Mapping[str, LiveUnit]

    @property
    def done(self) -> bool:
        """Whether what is live is what was asked for, by a rollback that is over."""
        return self.returns_to is not None and self.returns_to.accepted == self.rolls_back.accepted


def events(session: Session) -> list[Event]:
    """Releases, adoptions and rollbacks, oldest first; rotations move no contract and are left out."""
    found = [event for event in _all(session) if not is_rotation(event.plan)]
    return sorted(found, key=lambda event: event.accepted)


def _all(session: Session) -> Iterator[Event]:
    rows: list[Row] = list(session.rows)
    for row in rows:
        if row.kind != "plan.accepted":
            continue
        digest = row.data["plan"]
        own = [r for r in rows if r.data.get("plan") == digest]
        finished = [r.seq for r in own if r.kind == "plan.finished" and r.seq > row.seq]
        yield Event(
            session.plan(digest),
            row.seq,
            min(finished, default=None),
            any(r.kind in _EFFECTS for r in own),
        )


def state_after(session: Session, event: Event) -> dict[str, LiveUnit]:
    """The live units as they were when ``event`` was finished."""
    assert event.finished is not None
    rows = [row for row in session.rows if row.seq <= event.finished]
    return live_units(rows, session.bodies())


def course(session: Session, to: str | None) -> Course:
    """Where to go back to: the version ``to``, else what was live before the newest release. Raises ``NothingToRollBack``."""
    known = events(session)
    now = next((event for event in reversed(known) if event.touched), None)
    if now is None:
        raise NothingToRollBack(
            f"nothing was released to {session.target.name} by the journal", remedy="There is nothing to take back."
        )
    finished = [event for event in known if event.finished is not None]
    if to is not None:
        version = to.removeprefix("v")
        named = next((event for event in reversed(finished) if event.plan.version == version), None)
        if named is None:
            versions = ", ".join(dict.fromkeys(event.plan.tag for event in finished)) or "none"
            raise NothingToRollBack(
                f"v{version} was never released to {session.target.name}", remedy=f"Released there: {versions}."
            )
        return Course(now, named, state_after(session, named))
    if is_rollback(now.plan) and now.finished is not None:
        return Course(now, now, state_after(session, now))
    earlier = [event for event in finished if event.accepted < now.accepted]
    if not earlier:
        return Course(now, None, {})
    return Course(now, earlier[-1], state_after(session, earlier[-1]))
