"""Planning the way back of a release that is not sent yet: rehearsed behind its actions, and on disk before them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chains.evm.live import LiveUnit
from chains.evm.scene import SimulationUnsupported
from pipeline.plan import Plan
from pipeline.session import Session
from pipeline.step import Runner, Skip

__all__ = ["Home", "WayHome", "way_home"]


@dataclass(frozen=True)
class Home:
    """A rollback record that is not written yet; ``None`` where the plan sends nothing."""

    session: Session
    plan: Plan
    record: Mapping[str, Any] | None

    def keep(self) -> None:
        """Write it. The same again changes nothing."""
        if self.record is not None:
            from pipeline.rollback.record import save_rollback  # start-up: a run with nothing to do needs none of it

            save_rollback(self.session, self.plan, self.record)


@dataclass(frozen=True)
class WayHome:
    """Raises ``NoWayHome`` where ``required`` and an upgrade could not be taken back by anybody that is known, unless
    ``unsafe-allow`` has a reason for it (``no-way-back``)."""

    session: Session
    plan: Plan
    required: bool = True
    title: str = "planning the way back"

    def run(self) -> Mapping[str, Any]:
        from pipeline.rollback.errors import NoWayHome
        from pipeline.rollback.family import family_of
        from pipeline.rollback.history import events
        from pipeline.rollback.record import rollback_record

        session, plan = self.session, self.plan
        before = session.live()
        earlier = next((event.plan for event in reversed(events(session)) if event.finished is not None), None)
        try:
            way = family_of(session).way(
                session,
                before,
                _after(before, plan),
                deployer=plan.body.deployer,
                checks=earlier.body.checks if earlier else (),
                actions=plan.body.actions,
                release=plan,
            )
        except SimulationUnsupported as error:
            raise NoWayHome(
                f"the way back could not be tried: {error}", remedy="Use an endpoint that simulates, or install anvil."
            ) from error
        allowed = {
            name for name, unit in session.target.units.spec.contracts.items() if "no-way-back" in unit.unsafe_allow
        }
        stuck = [
            unit
            for unit in way.units
            if unit.moved.before.proxy != "none" and unit.capability == "none" and unit.moved.name not in allowed
        ]
        if stuck and self.required:
            raise NoWayHome(
                "\n".join(text for unit in stuck for text in unit.conflicts),
                remedy="Let the release keep somebody who can upgrade again. Where it is meant so, say why: "
                f'`unsafe-allow = {{ no-way-back = "the reason" }}` under [contracts.{stuck[0].moved.name}].',
            )
        for text in way.to_accept:
            session.ui.note(f"going back would have to be accepted: {text}")
        return rollback_record(plan, way, earlier.tag if earlier else None)

    def summary(self, result: Mapping[str, Any]) -> str:
        if result["returns_to"] is None:
            return f"{result['capability']}: nothing was there before"
        if not result["units"]:
            return f"nothing that {result['returns_to']} has is moved"
        checked = result["rehearsed"]["checks"] if result["rehearsed"] else 0
        return f"{result['capability']}, by {result['strategy']}; rehearsed there and back, {checked} checks read before and after"


def way_home(run: Runner, session: Session, plan: Plan, *, required: bool = True) -> Home:
    """The step, where the plan sends anything."""
    if not plan.body.actions:
        run.skip(WayHome.title, Skip("nothing to send"))
        return Home(session, plan, None)
    return Home(session, plan, run(WayHome(session, plan, required)))


def _after(before: Mapping[str, LiveUnit], plan: Plan) -> dict[str, LiveUnit]:
    """The live state once every action of ``plan`` is final."""
    after = dict(before)
    for action in plan.body.actions:
        after[action.unit] = after.get(action.unit, LiveUnit(action.unit)).merge(action.effect)
    return after
