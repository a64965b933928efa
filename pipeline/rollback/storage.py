"""Whether old code can run on the storage that new code left behind: the layouts compared the other way round."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from chains.errors import ShipError
from chains.evm.artifacts import Artifact
from chains.evm.layout import StorageFacts, compare_storage
from pipeline.rollback.model import Moved

__all__ = ["Reverse", "reverse"]

_STAYS_UNREAD = {"removed", "namespace"}
"""What the old code lacks it neither reads nor overwrites: it is there again for the next version that knows it."""


@dataclass(frozen=True)
class Reverse:
    """``leftovers`` are values the old code does not know, ``conflicts`` places it would read as something else.

    ``unknown`` is why nothing could be compared: then nobody knows that the old code fits.
    """

    leftovers: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()
    unknown: str | None = None

    def to_json(self) -> dict[str, Any]:
        return {"leftovers": list(self.leftovers), "conflicts": list(self.conflicts), "unknown": self.unknown}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Reverse:
        return cls(tuple(data["leftovers"]), tuple(data["conflicts"]), data["unknown"])


def reverse(moved: Moved, artifact_at: Callable[[str], Artifact | None]) -> Reverse:
    """Compare the layout of the implementation gone back from with that gone back to."""
    name = moved.name
    try:
        new, old = artifact_at(str(moved.after.implementation)), artifact_at(str(moved.before.implementation))
    except ShipError as error:
        return Reverse(unknown=error.cause)
    if new is None or old is None:
        return Reverse(unknown="which build an implementation came from is not recorded")
    left, right = StorageFacts.of(new), StorageFacts.of(old)
    if left is None or right is None:
        return Reverse(unknown="its compiler gives no storage layout (before 0.5.13)")
    findings = compare_storage(left, right)
    # A removed variable alone lies where the old code has nothing, or a gap. Where it has something, that is found too.
    harmless = all(finding.kind in _STAYS_UNREAD for finding in findings)
    texts = tuple(f"{name}: {finding}" for finding in findings)
    if not harmless:
        return Reverse(conflicts=tuple(f"{text} (new code → old code)" for text in texts))
    return Reverse(leftovers=tuple(f"{text} for the old code; what was stored there stays" for text in texts))
