"""What a strategy is given and what it gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from chains.evm.live import LiveUnit
from chains.evm.units import GoBack, Redirect, Value
from pipeline.rollback.model import Moved, UnitWay

__all__ = ["Scenery", "Strategy", "back", "effect_of"]

_FIELDS = (
    "address", "source", "init_code", "implementation", "implementation_init_code", "implementation_source",
    "runtime_code", "declared_init_code",
)  # fmt: skip


@dataclass(frozen=True)
class Scenery:
    """What strategies look at. ``code`` gives the runtime code at an address, also of one that is only planned;
    ``live`` is the state gone back from; ``authority`` is what the project says of a unit."""

    live: Mapping[str, LiveUnit]
    code: Callable[[str], bytes]
    authority: Callable[[str], Value | None]
    redirects: tuple[Redirect, ...]


class Strategy(Protocol):
    """One kind of contract. Reads ``scenery`` only: nothing is sent, and nothing is tried."""

    @property
    def name(self) -> str: ...

    def way(self, moved: Moved, scenery: Scenery) -> UnitWay: ...


def effect_of(moved: Moved) -> dict[str, Any]:
    """What going back changes in the unit's live state."""
    fields = [name for name in _FIELDS if getattr(moved.before, name) != getattr(moved.after, name)]
    return {name: getattr(moved.before, name) for name in fields}


def back(moved: Moved, scenery: Scenery, to: str, data: bytes, what: str = "") -> GoBack:
    """The call that moves ``moved`` back."""
    implementation = str(moved.before.implementation)
    return GoBack(
        unit=moved.name,
        to=to,
        data=data,
        title=f"roll back {what}{moved.name} to {implementation}",
        effect=effect_of(moved),
        authority=scenery.authority(moved.name),
        needs_code=(to, implementation),
    )
