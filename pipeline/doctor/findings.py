"""What the doctor finds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["Finding", "Report", "Section", "State"]

State = Literal["ok", "warn", "missing", "wrong"]
"""``missing`` and ``wrong`` stop a release; ``warn`` is worth knowing."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. ``found`` is for people, ``facts`` the same for machines, ``remedy`` when not ok."""

    item: str
    state: State
    found: str
    remedy: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {
            "item": self.item,
            "state": self.state,
            "found": self.found,
            "remedy": self.remedy or None,
            "facts": dict(self.facts),
        }


@dataclass(frozen=True)
class Section:
    """Findings about one subject: ``tools``, ``project``, or a target by name."""

    kind: Literal["tools", "project", "target"]
    name: str
    title: str
    findings: Sequence[Finding]

    @property
    def ok(self) -> bool:
        return all(f.state in {"ok", "warn"} for f in self.findings)

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "name": self.name,
            "title": self.title,
            "ok": self.ok,
            "findings": [f.to_json() for f in self.findings],
        }


@dataclass(frozen=True)
class Report:
    """All that was found. ``ok``: nothing that a release needs is missing or wrong."""

    sections: Sequence[Section]

    @property
    def ok(self) -> bool:
        return all(section.ok for section in self.sections)

    def count(self, *states: State) -> int:
        return sum(f.state in states for section in self.sections for f in section.findings)

    def to_json(self) -> dict[str, Any]:
        return {
            "schema": 1,
            "kind": "contract-ship/doctor",
            "ok": self.ok,
            "sections": [section.to_json() for section in self.sections],
        }
