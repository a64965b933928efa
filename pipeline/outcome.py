"""What a deployment came to: the JSON document of ``--json``, and the exit code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from chains.errors import ShipError

__all__ = ["Outcome", "UnitOutcome", "fleet_document", "fleet_exit_code", "fleet_text"]

_WORST = ("bug", "person", "resumable", "refused", "done")


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


def _worst(outcomes: Sequence[Outcome]) -> Outcome:
    return min(outcomes, key=lambda outcome: _WORST.index(outcome.outcome))


def fleet_exit_code(outcomes: Sequence[Outcome]) -> int:
    """The gravest of several: a person before resumable before refused."""
    return _worst(outcomes).exit_code


def fleet_document(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """The JSON document of a run over several targets; ``outcome`` is the gravest."""
    return {
        "schema": 1,
        "kind": "contract-ship/outcomes",
        "outcome": _worst(outcomes).outcome,
        "sent": sum(outcome.sent for outcome in outcomes),
        "targets": [outcome.to_json() for outcome in outcomes],
    }


def fleet_text(outcomes: Sequence[Outcome]) -> str:
    """One line a target, and how to go on where one stopped."""
    width = max(len(outcome.target) for outcome in outcomes)
    lines = [""]
    for outcome in outcomes:
        told = outcome.record or (outcome.error["code"] if outcome.error else "")
        lines.append(f"{outcome.target:<{width}}  {outcome.outcome:<9}  {outcome.sent:>4} sent  {told}")
    stopped = [outcome.target for outcome in outcomes if outcome.outcome == "resumable"]
    if stopped:
        lines += ["", f"`ship deploy --chain {','.join(stopped)}` goes on where it stopped"]
    return "\n".join(lines)
