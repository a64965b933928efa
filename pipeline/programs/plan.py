"""A plan for a Solana cluster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from chains.solana.release import SolanaAction, SolanaPlan
from pipeline.plan import Envelope, PlanStale, read_plan

__all__ = ["ProgramPlan", "load_program_plan", "refuse_stale_program_plan"]


@dataclass(frozen=True)
class ProgramPlan(Envelope):
    """A release of one version to one Solana cluster."""

    body: SolanaPlan
    family: ClassVar[str] = "solana"

    @classmethod
    def body_from(cls, data: Mapping[str, Any]) -> SolanaPlan:
        return SolanaPlan.from_json(data)


def load_program_plan(path: Path, *, expected: str | None = None) -> ProgramPlan:
    """Raises ``PlanInvalid``."""
    return read_plan(path, ProgramPlan, expected=expected)


def refuse_stale_program_plan(saved: ProgramPlan, now: ProgramPlan) -> None:
    """Refuse ``saved`` unless it rests on the same inputs as ``now``, a plan just made. Prices may differ."""
    pairs = (
        ("the project", saved.project, now.project),
        ("the version", saved.version, now.version),
        ("the target", saved.target, now.target),
        ("the candidate", saved.promoted_from, now.promoted_from),
        ("the bundle", saved.bundle, now.bundle),
        ("the manifests", saved.inputs, now.inputs),
        ("the recorded state", saved.state, now.state),
        ("the cluster", saved.body.chain, now.body.chain),
        ("the signer", saved.body.deployer, now.body.deployer),
        ("the payer", saved.body.payer, now.body.payer),
        ("the limits", saved.body.limits, now.body.limits),
        ("the units", [u.to_json() for u in saved.body.units], [u.to_json() for u in now.body.units]),
        ("the checks", [dict(c) for c in saved.body.checks], [dict(c) for c in now.body.checks]),
        ("the actions", _intent(saved), _intent(now)),
    )
    moved = [what for what, before, after in pairs if before != after]
    if moved:
        raise PlanStale(
            f"the saved plan is stale: since it was made, {', '.join(moved)} changed",
            remedy="Make a new plan, have it approved, and deploy that one.",
        )


def _intent(plan: ProgramPlan) -> list[dict[str, Any]]:
    """Everything about the actions that a person approves: not the prices of now, nor how far the multisig's counter is."""
    return [
        {**action.to_json(), "fee_lamports": None, "transactions": None, "details": _told(action)}
        for action in plan.body.actions
    ]


def _told(action: SolanaAction) -> dict[str, Any]:
    details = dict(action.details)
    if "squads" in details:
        details["squads"] = {**details["squads"], "since": None}
    return details
