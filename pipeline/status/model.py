"""What ``ship status`` says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["Comparison", "Drift", "Kind", "ProjectStatus", "TargetStatus", "Unfinished", "UnitStatus", "Verdict"]

Kind = Literal["contract", "call", "program"]
Comparison = Literal["same", "differs", "not deployed", "not done", "not in project", "not compared"]


@dataclass(frozen=True)
class Verdict:
    """About one unit of the project."""

    kind: Kind
    comparison: Comparison
    note: str


@dataclass(frozen=True)
class UnitStatus:
    """One unit on one target. ``version`` is that of the plan that last touched it, ``record`` the file that plan wrote."""

    name: str
    kind: Kind
    comparison: Comparison
    note: str
    address: str | None = None
    proxy: str = "none"
    implementation: str | None = None
    admin: str | None = None
    beacon: str | None = None
    version: str | None = None
    record: str | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "kind": self.kind,
            "comparison": self.comparison,
            "note": self.note or None,
            "address": self.address,
            "proxy": self.proxy,
            "implementation": self.implementation,
            "admin": self.admin,
            "beacon": self.beacon,
            "version": self.version,
            "record": self.record,
        }


@dataclass(frozen=True)
class Drift:
    """The chain holds something else than was recorded. ``found`` of ``None``: nothing at all."""

    unit: str
    what: str
    address: str
    recorded: str
    found: str | None

    def to_json(self) -> dict[str, Any]:
        return dict(self.__dict__)


@dataclass(frozen=True)
class Unfinished:
    """A plan that was accepted and is neither finished nor given up. ``stages`` counts its actions by stage."""

    plan: str
    version: str
    actions: int
    stages: Mapping[str, int]
    resume: str

    def to_json(self) -> dict[str, Any]:
        return {**self.__dict__, "stages": dict(self.stages)}


@dataclass(frozen=True)
class TargetStatus:
    """One target. With ``error`` (an error's JSON) the chain could not be asked, and the rest is what the journal says."""

    name: str
    chain: Mapping[str, Any] | None
    units: Sequence[UnitStatus] = ()
    drift: Sequence[Drift] = ()
    unfinished: Unfinished | None = None
    compared_with: str | None = None
    not_compared: str | None = None
    error: Mapping[str, Any] | None = None
    error_exit_code: int = 0

    def to_json(self) -> dict[str, Any]:
        return {
            "target": self.name,
            "chain": dict(self.chain) if self.chain else None,
            "bundle": self.compared_with,
            "not_compared": self.not_compared,
            "units": [unit.to_json() for unit in self.units],
            "drift": [drift.to_json() for drift in self.drift],
            "unfinished": self.unfinished.to_json() if self.unfinished else None,
            "error": dict(self.error) if self.error else None,
        }


@dataclass(frozen=True)
class ProjectStatus:
    """All targets that were looked at."""

    project: str
    version: str
    targets: Sequence[TargetStatus]

    @property
    def exit_code(self) -> int:
        """4 when anything drifted, else that of the worst error, else 0."""
        if any(target.drift for target in self.targets):
            return 4
        return max((target.error_exit_code for target in self.targets), default=0)

    def to_json(self) -> dict[str, Any]:
        return {
            "schema": 1,
            "kind": "contract-ship/status",
            "project": self.project,
            "version": self.version,
            "drifted": any(target.drift for target in self.targets),
            "targets": [target.to_json() for target in self.targets],
        }
