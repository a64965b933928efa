"""Checking the upgrade: storage layout, initializers, and that there is a way back, before anybody approves the plan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.bundle import Bundle
from pipeline.plan import Plan
from pipeline.session import Session

if TYPE_CHECKING:
    from pipeline.upgrade_safety import Examined

__all__ = ["Safety", "touches_proxies"]


def touches_proxies(session: Session, plan: Plan) -> bool:
    """Whether the plan creates or upgrades a proxy."""
    proxies = {name for name, unit in session.target.units.spec.contracts.items() if unit.proxy != "none"}
    return any(unit.name in proxies and unit.change in {"create", "upgrade"} for unit in plan.body.units)


@dataclass(frozen=True)
class Safety:
    """Judges every proxy the plan creates or upgrades; raises ``UnsafeUpgrade``."""

    session: Session
    bundle: Bundle
    plan: Plan
    title: str = "checking the upgrade"

    def run(self) -> Examined:
        from pipeline.upgrade_safety import examine  # start-up: only plans with proxies need it

        found = examine(self.session, self.bundle, self.plan)
        for danger, reason in found.accepted:
            self.session.ui.note(f"accepted: {danger}; reason: {reason}")
        for note in found.notes:
            self.session.ui.note(note)
        return found

    def summary(self, result: Examined) -> str:
        return "; ".join(result.proven) or "see the notes"
