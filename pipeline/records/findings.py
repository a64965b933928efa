"""What the verification of a record found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["Finding", "RecordFindings", "State", "exit_code"]

State = Literal["ok", "failed", "altered", "missing", "unanswered", "note"]
_EXIT = {"failed": 4, "altered": 2, "missing": 2, "unanswered": 3}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    ``failed``: the chain, or a signature, says otherwise. ``altered`` and ``missing`` are about files. ``unanswered``: no
    endpoint gave a usable answer. ``note``: could not be looked at here, and proves nothing either way.
    """

    area: Literal["files", "signatures", "chain"]
    what: str
    state: State
    detail: str = ""

    def to_json(self) -> dict[str, Any]:
        return {"area": self.area, "what": self.what, "state": self.state, "detail": self.detail or None}


@dataclass(frozen=True)
class RecordFindings:
    """All findings about one record."""

    path: str
    tag: str
    target: str
    findings: Sequence[Finding]

    def to_json(self) -> dict[str, Any]:
        return {
            "path": self.path,
            "tag": self.tag,
            "target": self.target,
            "proven": exit_code([self]) == 0,
            "findings": [finding.to_json() for finding in self.findings],
        }


def exit_code(records: Sequence[RecordFindings]) -> int:
    """4 when anything contradicts, else 2 for files, else 3 when the chain did not answer, else 0."""
    codes = {_EXIT[f.state] for record in records for f in record.findings if f.state in _EXIT}
    return next((code for code in (4, 2, 3) if code in codes), 0)
