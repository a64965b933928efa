"""One thing that happened on a target."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

__all__ = ["Changed", "Event", "History", "Problem"]

Kind = Literal["release", "adoption", "rollback", "rotation", "finalization", "buffers"]


@dataclass(frozen=True)
class Changed:
    """``what`` is a unit (or a contract whose rights moved), ``change`` a word of the plan's, ``detail`` for people."""

    what: str
    change: str
    detail: str


@dataclass(frozen=True)
class Event:
    """A plan that was finished. ``at`` is when, RFC 3339; ``record`` is relative to the project.

    What neither journal nor record tells is ``None``; ``notes`` say where the two do not agree.
    """

    kind: Kind
    target: str
    version: str | None
    tag: str | None
    commit: str | None
    dirty: bool | None
    at: str | None
    approved_by: str | None
    approvers: tuple[str, ...]
    signer: str | None
    plan: str | None
    bundle: str | None
    changes: tuple[Changed, ...]
    transactions: int | None
    record: str | None
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        body = asdict(self)
        return {
            **body,
            "approvers": list(self.approvers),
            "changes": [asdict(change) for change in self.changes],
            "notes": list(self.notes),
        }


@dataclass(frozen=True)
class Problem:
    """A journal that could not be read."""

    target: str
    text: str


@dataclass(frozen=True)
class History:
    """Targets by name, each oldest first."""

    events: tuple[Event, ...]
    problems: tuple[Problem, ...]
