"""The rollback record of a release to Solana, in the form of ``pipeline.rollback.record``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chains.solana.live import LiveProgram
from pipeline.programs.plan import ProgramPlan
from pipeline.programs.rollback.planning import ProgramWay
from pipeline.programs.session import ProgramSession

__all__ = ["rollback_document", "shown_program_rollback"]


def shown_program_rollback(
    session: ProgramSession,
    now: ProgramPlan,
    then: ProgramPlan | None,
    ways: Sequence[ProgramWay],
    plan: ProgramPlan | None,
) -> dict[str, Any]:
    """``plan`` is the one that goes back, where there is anything to do."""
    told = (plan.rollback if plan else None) or {}
    deployer = plan.body.deployer if plan else now.body.deployer
    return {
        "schema": 1,
        "kind": "contract-ship/rollback",
        "id": f"rollback-{now.digest[:16]}",
        "release": now.tag,
        "returns_to": then.tag if then else None,
        "target": session.target.name,
        "plan": now.digest,
        "strategy": told.get("strategy", "none"),
        "capability": told.get("capability", "none"),
        "requires": {"authority": deployer, "kind": "key", "threshold": 1, "timelock": None},
        "preconditions": [
            text
            for way in ways
            for text in (
                f"{way.now.name}: {way.now.program} runs {way.now.sha256}",
                f"{way.now.name}: {deployer} is its upgrade authority",
                *([f"{way.now.name}: the buffer {way.buffer} holds {way.then.sha256}"] if way.buffer else []),
            )
        ],
        "before": {way.now.name: _state(way.then) for way in ways},
        "after": {way.now.name: _state(way.now) for way in ways},
        "transactions": [
            {
                "unit": way.now.name,
                "title": way.action.title,
                "from": deployer,
                "to": way.now.program,
                "steps": ["upgrade"] if way.buffer else ["create", "write", "handover", "upgrade"],
                "buffer": way.buffer,
            }
            for way in ways
        ],
        "state_risks": list(told.get("state_risks", [])),
        "to_accept": list(told.get("accepted_risks", [])),
        "executed": None,
    }


def rollback_document(
    session: ProgramSession, plan: ProgramPlan, returns_to: str | None, ways: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """How ``plan``, which is not sent yet, is taken back. ``ways``: unit, program, before (a ``LiveProgram``), sha256, buffer."""
    deployer = plan.body.deployer
    strategies = sorted({"solana-warm" if way["buffer"] else "solana-cold" for way in ways})
    squads = any("squads" in action.details for action in plan.body.actions)
    return {
        "schema": 1,
        "kind": "contract-ship/rollback",
        "id": f"rollback-{plan.digest[:16]}",
        "release": plan.tag,
        "returns_to": returns_to,
        "target": session.target.name,
        "plan": plan.digest,
        "strategy": "+".join(strategies) or "none",
        "capability": "full" if ways else "none",
        "requires": {"authority": deployer, "kind": "contract" if squads else "key", "threshold": 1, "timelock": None},
        "preconditions": [
            text
            for way in ways
            for text in (
                f"{way['unit']}: {way['program']} runs {way['sha256']}",
                f"{way['unit']}: {deployer} is its upgrade authority",
                *([f"{way['unit']}: the buffer {way['buffer']} holds {way['before'].sha256}"] if way["buffer"] else []),
            )
        ],
        "before": {way["unit"]: _state(way["before"]) for way in ways},
        "after": {
            way["unit"]: {"address": way["program"], "sha256": way["sha256"], "authority": deployer, "slot": None}
            for way in ways
        },
        "transactions": [
            {
                "unit": way["unit"],
                "title": f"back to {way['before'].sha256[:16]}…",
                "from": deployer,
                "to": way["program"],
                "steps": ["upgrade"] if way["buffer"] else ["create", "write", "handover", "upgrade"],
                "buffer": way["buffer"],
            }
            for way in ways
        ],
        "state_risks": [],
        "to_accept": [],
        "executed": None,
    }


def _state(unit: LiveProgram) -> dict[str, Any]:
    return {"address": unit.program, "sha256": unit.sha256, "authority": unit.authority, "slot": unit.slot}
