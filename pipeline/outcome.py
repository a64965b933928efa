"""What a deployment came to: the JSON document of ``--json``, and the exit code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from chains.errors import ShipError

__all__ = ["Outcome", "UnitOutcome"]


@dataclass(frozen=True)
class UnitOutcome:
    """One unit: where it is, the transaction that put it there (or did the call), and its state in one word.

    ``state``: planned, proposed, reserved, signed, mined, final, proven, unchanged, skipped, adopted, reverted, foreign.
    """

    address: str | None
    transaction: str | None
    state: str

    def to_json(self) -> dict[str, str | None]:
        return dict(self.__dict__)


@dataclass
class Outcome:
    """``sent`` counts transactions this run handed to a node for the first time."""

    target: str
    outcome: Literal["done", "refused", "resumable", "person", "bug"] = "done"
    sent: int = 0
    version: str | None = None
    plan: str | None = None
    bundle: str | None = None
    units: dict[str, UnitOutcome] = field(default_factory=dict)
    record: str | None = None
    error: Mapping[str, Any] | None = None
    exit_code: int = 0

    def fail(self, error: ShipError) -> None:
        self.outcome = error.outcome  # type: ignore[assignment]
        self.exit_code = error.exit_code
        self.error = error.to_json()

    def to_json(self) -> dict[str, Any]:
        return {
            "schema": 1,
            "kind": "contract-ship/outcome",
            "outcome": self.outcome,
            "target": self.target,
            "version": self.version,
            "sent": self.sent,
            "plan": self.plan,
            "bundle": self.bundle,
            "units": {name: unit.to_json() for name, unit in self.units.items()},
            "record": self.record,
            "error": dict(self.error) if self.error else None,
        }
