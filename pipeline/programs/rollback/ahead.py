"""The rollback record of a release that is not sent yet: on disk before its first transaction (design §10)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chains.canonical import pretty
from chains.files import write_atomic
from chains.solana.release import SolanaAction, job_of
from pipeline.programs.plan import ProgramPlan
from pipeline.programs.rollback.record import rollback_document
from pipeline.programs.session import ProgramSession
from pipeline.programs.store import find_bytes
from pipeline.rollback.record import load_rollback
from pipeline.session import accepted_plans

__all__ = ["KeepWayBack", "released_as"]


@dataclass(frozen=True)
class KeepWayBack:
    """For every program the plan upgrades: the bytes before are at hand, and how to have them run again is written down.

    Raises ``ProgramBytesMissing`` where they are not: what cannot be taken back is not begun.
    """

    session: ProgramSession
    plan: ProgramPlan
    title: str = "keeping the way back"

    def run(self) -> dict[str, Any]:
        session, plan = self.session, self.plan
        upgrades = [action for action in plan.body.actions if action.kind == "upgrade"]
        warm = {a.unit for a in plan.body.actions if a.kind == "stage"}
        live = session.live()
        ways: list[dict[str, Any]] = []
        for action in upgrades:
            unit = live.get(action.unit)
            if unit is None:  # another tool deployed it: its bytes are the stage's, or nobody's here
                continue
            find_bytes(session, action.unit, released_as(session, unit.plan, action.unit, unit.sha256))
            ways.append(
                {
                    "unit": action.unit,
                    "program": unit.program,
                    "before": unit,
                    "sha256": action.details["sha256"],
                    "buffer": self._buffer(action) if action.unit in warm else None,
                }
            )
        document = rollback_document(session, plan, self._earlier(), ways)
        self._save(document)
        return document

    def _buffer(self, action: SolanaAction) -> str:
        stage = next(a for a in self.plan.body.actions if a.kind == "stage" and a.unit == action.unit)
        return job_of(stage, self.plan.body, self.plan.digest, b"").buffer

    def _earlier(self) -> str | None:
        """The tag of what is live now."""
        plans = [unit.plan for unit in self.session.live().values()]
        newest = [digest for digest in accepted_plans(self.session.rows) if digest in plans]
        return self.session.plan(newest[-1]).tag if newest else None

    def _save(self, document: dict[str, Any]) -> None:
        """Beside the records of its version, in the first place that is free or whose release was never sent."""
        session, plan = self.session, self.plan
        touched = {row.data["plan"] for row in session.rows if row.kind in {"sol.signed", "sol.writing"}}
        number = 1
        while True:
            suffix = "" if number == 1 else f".{number}"
            path = session.state.project.releases / plan.tag / f"{session.state.name}{suffix}.rollback.json"
            held = load_rollback(path)["plan"] if path.exists() else plan.digest
            if held == plan.digest or held not in touched:
                break
            number += 1
        content = pretty(document)
        if not path.exists() or path.read_bytes() != content:
            write_atomic(path, content)

    def summary(self, result: dict[str, Any]) -> str:
        if result["returns_to"] is None:
            return "none: nothing was there before"
        if not result["transactions"]:
            return "no program is changed"
        return f"{result['capability']}, by {result['strategy']}"


def released_as(session: ProgramSession, digest: str, unit: str, sha256: str) -> str:
    actions = session.plan(digest).body.actions
    found = next(a for a in actions if a.unit == unit and a.details.get("sha256") == sha256)
    return str(found.details["file_sha256"])
