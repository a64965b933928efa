"""What two states differ in, unit by unit, and how each goes back: strategies, storage, who has to agree."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from chains.evm.live import LiveUnit
from chains.evm.units import Redirect, Value
from pipeline.rollback.builds import Builds
from pipeline.rollback.model import Moved, UnitWay, Way
from pipeline.rollback.storage import Reverse, reverse
from pipeline.rollback.strategies.base import Scenery
from pipeline.rollback.strategies.table import STRATEGIES

__all__ = ["Survey"]


@dataclass(frozen=True)
class Survey:
    """``recalled`` gives what an earlier record says of a pair of implementations, for machines without the bundles;
    ``migrations`` are calls made with upgrades, by unit."""

    before: Mapping[str, LiveUnit]
    after: Mapping[str, LiveUnit]
    builds: Builds
    authority: Callable[[str], Value | None]
    redirects: tuple[Redirect, ...]
    migrations: Mapping[str, str]
    recalled: Callable[[Moved], Reverse | None]

    def way(self) -> Way:
        """Not yet rehearsed."""
        scenery = Scenery(self.after, self.builds.code, self.authority, self.redirects)
        units = [self._stored(STRATEGIES[moved.before.proxy].way(moved, scenery)) for moved in self._moved()]
        stuck = not self.before or any(unit.moved.before.proxy == "none" for unit in units)
        general: tuple[tuple[Redirect, Mapping[str, Any]], ...] = (
            tuple((one, {}) for one in self.redirects if one.restores is None) if stuck else ()
        )
        return Way(tuple(units), general, tuple(self._stays()))

    def _moved(self) -> Iterator[Moved]:
        for name, now in self.after.items():
            then = self.before.get(name)
            if then is None or then.address is None:
                continue
            if (then.address, then.implementation) != (now.address, now.implementation):
                yield Moved(name, then, now)

    def _stays(self) -> Iterator[str]:
        """What no way back undoes."""
        for name, now in self.after.items():
            then = self.before.get(name)
            if now.address and (then is None or then.address is None):
                yield f"{name} at {now.address} was created by what is taken back, and stays on chain"
            if now.done and (then is None or then.done != now.done):
                yield f"the call or script {name} was made by what is taken back, and is not undone"

    def _stored(self, way: UnitWay) -> UnitWay:
        if way.call is None or way.moved.before.proxy == "none":
            return way
        found = reverse(way.moved, self.builds.artifact)
        if found.unknown is not None:
            found = self.recalled(way.moved) or found
        name, risks, conflicts = way.moved.name, [*way.risks, *found.leftovers], [*way.conflicts, *found.conflicts]
        if found.unknown is not None:
            conflicts.append(f"{name}: storage layouts could not be compared: {found.unknown}")
        stored = bool(found.leftovers or found.conflicts or found.unknown)
        if name in self.migrations:
            stored = True
            risks.append(
                f"{name}: `{self.migrations[name]}`, called with the upgrade, is not undone; a later upgrade cannot call it again "
                "where it works once"
            )
        return replace(
            way,
            capability="code-only" if stored else way.capability,
            risks=tuple(risks),
            conflicts=tuple(conflicts),
            storage=found.to_json(),
        )
