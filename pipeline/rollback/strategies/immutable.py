"""A contract that cannot change: what points at it can be pointed back, where the project declares how; else nothing can."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.rollback.model import Moved, UnitWay
from pipeline.rollback.strategies.base import Scenery, effect_of

__all__ = ["Immutable"]


@dataclass(frozen=True)
class Immutable:
    name: str = "redirect"

    def way(self, moved: Moved, scenery: Scenery) -> UnitWay:
        old, new = moved.before.address, moved.after.address
        own = [redirect for redirect in scenery.redirects if redirect.restores == moved.name]
        if not own:
            why = (
                f"{moved.name} cannot be taken back: {new} stays in the place of {old}, and no [rollback.redirect] "
                f"restores {moved.name}"
            )
            return UnitWay(moved, "none", "none", conflicts=(why,))
        # The unit is restored once, by the last of its calls.
        effects = [*({} for _ in own[:-1]), effect_of(moved)]
        risk = f"{moved.name}: {new} stays on chain as it is; from now on {old} is pointed at, with the state it has"
        return UnitWay(moved, self.name, "redirect", redirects=tuple(zip(own, effects, strict=True)), risks=(risk,))
