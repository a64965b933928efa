"""The state of every action of the plan being sent, and the one way to change it: a row of the journal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chains.base import Journal, Progress
from chains.evm.actions import Action, EvmPlan
from chains.evm.lifecycle import TxState, apply, fold

__all__ = ["Book", "Entry"]

Entry = tuple[str, Action, Mapping[str, Any]]
"""A row to be written: its kind, the action it is about, and the data beside plan, action and nonce."""


@dataclass
class Book:
    """``hint`` is the last thing a node or a policy said that may explain why nothing moves; for people only."""

    journal: Journal
    progress: Progress
    plan: EvmPlan
    digest: str
    states: dict[str, TxState] = field(default_factory=dict)
    hint: str = ""

    def read(self) -> None:
        """Take up what earlier runs wrote."""
        known = fold(self.journal.rows, self.digest)
        self.states.update({a.id: known.get(a.id, TxState(a.id)) for a in self.plan.actions})

    def write(self, kind: str, action: Action, data: Mapping[str, Any]) -> None:
        """One row about ``action``, on disk when this returns."""
        self.write_all([(kind, action, data)])

    def write_all(self, entries: Sequence[Entry]) -> None:
        """Rows of one turn, on disk together when this returns: what an fsync costs, it costs once."""
        if not entries:
            return
        about = {"plan": self.digest}
        rows = self.journal.append_all(
            [(kind, {**about, "action": action.id, "nonce": action.nonce, **data}) for kind, action, data in entries]
        )
        for row, (_, action, _) in zip(rows, entries, strict=True):
            state = self.states[action.id] = apply(self.states[action.id], row)
            self.progress.item(action.id, state.stage, _note(state))

    @property
    def finished(self) -> bool:
        return all(s.stage in {"final", "adopted"} for s in self.states.values())

    @property
    def halting(self) -> bool:
        return any(s.stage in {"reverted", "foreign"} for s in self.states.values())

    @property
    def in_flight(self) -> int:
        return sum(s.stage == "signed" for s in self.states.values())

    @property
    def under_way(self) -> list[TxState]:
        """Those of which the chain may still say something new."""
        return [s for s in self.states.values() if s.stage in {"signed", "mined"}]


def _note(state: TxState) -> str:
    """For whoever watches: the newest hash, or the block it is in."""
    if state.mined:
        return f"block {state.mined.block_number}  {state.mined.hash}"
    return state.attempts[-1].hash if state.attempts else ""
