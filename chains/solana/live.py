"""What the journal says is live on a cluster: programs by their last final deployment, calls that are done."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from chains.base import Row
from chains.canonical import digest
from chains.solana.release import SolanaAction, SolanaPlan

__all__ = ["LiveProgram", "done_calls", "live_programs", "staged_buffers"]


@dataclass(frozen=True)
class LiveProgram:
    """A program as it was when its last deployment was final. ``slot`` is that of the deployment, ``plan`` its plan."""

    name: str
    program: str
    sha256: str
    authority: str
    slot: int
    signature: str | None
    plan: str

    def to_json(self) -> dict[str, Any]:
        return dict(self.__dict__)


def _finals(rows: Iterable[Row], plans: Mapping[str, SolanaPlan]) -> Iterable[tuple[Row, SolanaAction]]:
    actions = {(name, action.id): action for name, plan in plans.items() for action in plan.actions}
    for row in rows:
        if row.kind == "sol.final" and (action := actions.get((row.data["plan"], row.data["unit"]))):
            yield row, action


def live_programs(rows: Iterable[Row], plans: Mapping[str, SolanaPlan]) -> dict[str, LiveProgram]:
    """By unit, the newest. An authority that was moved since is the new one."""
    live: dict[str, LiveProgram] = {}
    for row, action in _finals(rows, plans):
        data = row.data
        if action.kind in {"deploy", "upgrade"}:
            live[action.unit] = LiveProgram(
                action.unit,
                action.details["program"],
                data["sha256"],
                data["authority"],
                data["slot"],
                data["signature"],
                data["plan"],
            )
        elif action.kind in {"authority", "finalize"} and action.unit in live:
            before = live[action.unit]
            live[action.unit] = LiveProgram(**{**before.__dict__, "authority": action.details["to"] or "nobody"})
    return live


def done_calls(rows: Iterable[Row], plans: Mapping[str, SolanaPlan]) -> dict[str, str]:
    """By unit, the digest of the instruction that was last sent for it."""
    return {a.unit: digest(a.details["instruction"]) for _, a in _finals(rows, plans) if a.kind == "call"}


def staged_buffers(rows: Iterable[Row], plans: Mapping[str, SolanaPlan]) -> dict[tuple[str, str], str]:
    """The plan that staged bytes, by program and hash; the newest."""
    found = {}
    for row, action in _finals(rows, plans):
        if action.kind == "stage":
            found[(action.details["program"], action.details["sha256"])] = row.data["plan"]
    return found
