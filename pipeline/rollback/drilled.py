"""What a drill came to: by target and record, whether it holds, and if not, why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from pipeline.rollback.errors import DrillFailed, DrillUnsure

__all__ = ["Drilled", "DrilledTarget", "Reason", "Rehearsal"]

State = Literal["holds", "broken", "untried", "none", "there"]
_SAID = {
    "holds": "holds",
    "broken": "would not work",
    "untried": "could not be tried",
    "none": "has no way back, as recorded",
    "there": "is live already",
}


@dataclass(frozen=True)
class Reason:
    """``kind``: authority, code, slot, layout, untried."""

    kind: str
    unit: str | None
    text: str

    def to_json(self) -> dict[str, Any]:
        return dict(self.__dict__)


@dataclass(frozen=True)
class Rehearsal:
    """One recorded rollback. ``record`` is its file, relative to the project."""

    id: str
    release: str
    returns_to: str | None
    record: str
    capability: str
    state: State = "holds"
    reasons: tuple[Reason, ...] = ()
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {**self.__dict__, "reasons": [r.to_json() for r in self.reasons], "notes": list(self.notes)}


@dataclass(frozen=True)
class DrilledTarget:
    """``error`` is why nothing of the target could be looked at; ``untried``: another time it may be."""

    target: str
    rollbacks: tuple[Rehearsal, ...]
    error: str | None = None
    untried: bool = False

    def to_json(self) -> dict[str, Any]:
        return {"target": self.target, "rollbacks": [r.to_json() for r in self.rollbacks], "error": self.error}


@dataclass(frozen=True)
class Drilled:
    """A drill of one or of all targets."""

    targets: tuple[DrilledTarget, ...]

    @property
    def outcome(self) -> Literal["holds", "broken", "untried"]:
        states = {r.state for t in self.targets for r in t.rollbacks}
        if "broken" in states or any(t.error and not t.untried for t in self.targets):
            return "broken"
        return "untried" if "untried" in states or any(t.error for t in self.targets) else "holds"

    def to_json(self) -> dict[str, Any]:
        return {
            "schema": 1,
            "kind": "contract-ship/drill",
            "outcome": self.outcome,
            "targets": [target.to_json() for target in self.targets],
        }

    def text(self) -> str:
        """For people; one line a record and one a reason."""
        return "\n".join(line for target in self.targets for line in _lines(target)) or "no target has a journal"

    def raise_unless_sound(self) -> None:
        """Raises ``DrillFailed``, ``DrillUnsure``."""
        names = [
            t.target for t in self.targets if t.error or any(r.state in {"broken", "untried"} for r in t.rollbacks)
        ]
        if self.outcome == "broken":
            raise DrillFailed(
                f"recorded rollbacks of {', '.join(names)} would not work",
                done="Nothing was sent; this was a rehearsal.",
                remedy="Restore what is missing, or know that of these releases there is no way back as recorded. "
                "`ship rollback --chain T` shows what going back would be now.",
            )
        if self.outcome == "untried":
            raise DrillUnsure(
                f"whether the rollbacks of {', '.join(names)} would work could not be tried",
                done="Nothing was sent; this was a rehearsal.",
                remedy="See what is said above, then run it again.",
            )


def _lines(target: DrilledTarget) -> Iterator[str]:
    yield f"\n{target.target}"
    if target.error:
        yield f"  could not be looked at: {target.error}"
    elif not target.rollbacks:
        yield "  no rollback is recorded"
    for one in target.rollbacks:
        yield f"  {one.release} back to {one.returns_to or 'nothing'} ({one.capability}): {_SAID[one.state]}"
        for reason in one.reasons:
            yield f"    {reason.kind}: {reason.unit + ': ' if reason.unit else ''}{reason.text}"
