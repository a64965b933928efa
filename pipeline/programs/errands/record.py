"""The record of an errand, and of how to go back where that can be. Both follow from plan and journal alone.

releases/<tag>/<target>.rotation-N.json   with .rollback.json: the same moves, by the new key
releases/<tag>/<target>.finalize-N.json   with .rollback.json, which says that there is no way back
releases/<tag>/<target>.buffers-N.json
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from chains.base import Row
from chains.solana.release import SolanaAction
from pipeline import __version__
from pipeline.programs.errands.kind import Errand
from pipeline.programs.plan import ProgramPlan
from pipeline.programs.spent import spent_lamports
from pipeline.rotation.record import numbered_path
from pipeline.state.local import TargetState

__all__ = ["errand_path", "errand_record", "no_way_back", "way_back"]

_WORDS: dict[Errand, tuple[str, str]] = {
    "rotation": ("rotation", "contract-ship/rotation"),
    "finalize": ("finalize", "contract-ship/finalization"),
    "close": ("buffers", "contract-ship/buffers-closed"),
}


def errand_path(state: TargetState, plan: ProgramPlan, errand: Errand) -> Path:
    """Where this plan's record goes: the first name that is free, or already its own."""
    return numbered_path(state, plan, _WORDS[errand][0])


def errand_record(plan: ProgramPlan, rows: Sequence[Row], errand: Errand) -> dict[str, Any]:
    """What was done, by which transactions. Pure over the journal."""
    accepted = next(r for r in reversed(rows) if r.kind == "plan.accepted" and r.data["plan"] == plan.digest)
    final = {r.data["unit"]: r for r in rows if r.kind == "sol.final" and r.data["plan"] == plan.digest}
    return {
        "schema": 1,
        "kind": _WORDS[errand][1],
        "family": plan.family,
        "project": plan.project,
        "version": plan.version,
        "target": plan.target,
        "chain": dict(plan.body.chain),
        "from": plan.body.deployer,
        "to": plan.body.handover,
        "plan": plan.digest,
        "commit": plan.commit,
        "dirty": plan.dirty,
        "approved_by": accepted.data["approved_by"],
        "accepted_at": accepted.at,
        "moved": [_moved(action, final[action.id]) for action in plan.body.actions if action.id in final],
        "cost": {"lamports": str(spent_lamports(rows, plan.digest))},
        "ship": __version__,
    }


def _moved(action: SolanaAction, row: Row) -> dict[str, Any]:
    return {
        "action": action.id,
        "unit": action.unit,
        "title": action.title,
        "account": action.details.get("buffer") or action.details["program"],
        "signature": row.data["signature"],
        "slot": row.data["slot"],
    }


def way_back(plan: ProgramPlan) -> dict[str, Any]:
    """The rollback record of a rotation (design §10): the new key gives every program back; the old one has to sign too."""
    old, new = plan.body.deployer, str(plan.body.handover)
    back = [
        {
            "unit": action.unit,
            "title": f"give the upgrade authority of {action.unit} back to {old}, which signs too",
            "from": new,
            "to": action.details["program"],
            "steps": ["set-authority-checked"],
            "buffer": None,
        }
        for action in plan.body.actions
    ]
    risks = [
        f"{new} has to sign, and so does {old}: each transaction of the way back names both",
        "what the new key did in the meantime is not undone",
        "programs and buffers that are not recorded on this target are neither moved nor moved back",
    ]
    return _rollback(plan, "rotate back", "full", new, back, risks) | {
        "preconditions": [f"{new} is still the upgrade authority of every program", f"{old} can still sign"],
        "before": {"holder": old},
        "after": {"holder": new},
    }


def no_way_back(plan: ProgramPlan) -> dict[str, Any]:
    """Of a program made immutable: nobody can upgrade it, roll it back or close it again."""
    risks = [
        f"{a.details['program']} runs the bytes it has now for ever: no key can change it" for a in plan.body.actions
    ]
    return _rollback(plan, "none", "none", None, [], risks)


def _rollback(
    plan: ProgramPlan,
    strategy: str,
    capability: str,
    authority: str | None,
    back: list[dict[str, Any]],
    risks: list[str],
) -> dict[str, Any]:
    return {
        "schema": 1,
        "kind": "contract-ship/rollback",
        "id": f"{plan.body.actions[0].kind}-{plan.digest[:16]}",
        "release": plan.tag,
        "target": plan.target,
        "plan": plan.digest,
        "strategy": strategy,
        "capability": capability,
        "requires": {"authority": authority, "threshold": 1, "timelock": None},
        "preconditions": [],
        "before": {"holder": plan.body.deployer},
        "after": {"holder": authority or "nobody"},
        "transactions": back,
        "state_risks": risks,
        "executed": None,
    }
