"""A way back: for each unit a release moved, how it is moved back, by whom, and what of its state does not go with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from chains.evm.live import LiveUnit
from chains.evm.units import GoBack, Redirect

__all__ = ["Capability", "Moved", "Requires", "UnitWay", "Way", "worst"]

Capability = Literal["full", "code-only", "redirect", "none"]
_ORDER: tuple[Capability, ...] = ("full", "code-only", "redirect", "none")


def worst(capabilities: Sequence[Capability]) -> Capability:
    """What all of them together amount to; nothing at all amounts to ``none``."""
    return max(capabilities, key=_ORDER.index, default="none")


@dataclass(frozen=True)
class Moved:
    """A unit that two states know differently: ``before`` is gone back to, ``after`` is gone back from."""

    name: str
    before: LiveUnit
    after: LiveUnit


@dataclass(frozen=True)
class Requires:
    """Who has to say yes: a key, a Safe with its threshold, a timelock with its delay."""

    authority: str | None
    kind: Literal["key", "safe", "timelock", "contract", "unknown"] = "unknown"
    threshold: int = 1
    timelock_s: int | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "authority": self.authority,
            "kind": self.kind,
            "threshold": self.threshold,
            "timelock": self.timelock_s,
        }


@dataclass(frozen=True)
class UnitWay:
    """How one unit goes back.

    ``call`` moves a proxy; ``redirects`` stand in where none does. ``risks`` are for people to know, ``conflicts`` for a
    person to accept before anything is sent.
    """

    moved: Moved
    strategy: str
    capability: Capability
    call: GoBack | None = None
    redirects: tuple[tuple[Redirect, Mapping[str, Any]], ...] = ()
    risks: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()
    requires: Requires | None = None
    storage: Mapping[str, Any] | None = None
    """The reverse comparison of storage layouts (``pipeline.rollback.storage.Reverse``), of a proxy."""


@dataclass(frozen=True)
class Way:
    """The whole way back. ``risks`` are those of no single unit; ``leftover`` are redirects that belong to no unit."""

    units: tuple[UnitWay, ...]
    redirects: tuple[tuple[Redirect, Mapping[str, Any]], ...] = ()
    risks: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()
    rehearsed: Mapping[str, Any] = field(default_factory=dict)
    turns: tuple[tuple[GoBack, Requires], ...] = ()
    """Every call of the way with its bytes, in order, and who makes it."""

    @property
    def capability(self) -> Capability:
        if not self.units:
            return "redirect" if self.redirects else "none"
        found = worst([unit.capability for unit in self.units])
        return "code-only" if found == "full" and (self.risks or self.conflicts) else found

    @property
    def strategy(self) -> str:
        names = dict.fromkeys(unit.strategy for unit in self.units)
        if not names:
            return "redirect" if self.redirects else "none"
        return ", ".join(names)

    @property
    def calls(self) -> tuple[GoBack, ...]:
        return tuple(unit.call for unit in self.units if unit.call is not None)

    @property
    def all_redirects(self) -> tuple[tuple[Redirect, Mapping[str, Any]], ...]:
        return (*(one for unit in self.units for one in unit.redirects), *self.redirects)

    @property
    def state_risks(self) -> tuple[str, ...]:
        """Everything a person should know, what has to be accepted first."""
        own = [text for unit in self.units for text in unit.risks]
        return tuple(dict.fromkeys((*self.to_accept, *own, *self.risks)))

    @property
    def to_accept(self) -> tuple[str, ...]:
        own = [text for unit in self.units for text in unit.conflicts]
        return tuple(dict.fromkeys((*own, *self.conflicts)))
