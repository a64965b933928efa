"""A plan in parts: runs of transactions, and the proposals between them that have to be executed first.

Who executes a proposal is not known when the plan is made. If we do, that transaction takes the deployer's next nonce,
and those that come after move by one; a contract whose address rests on its nonce cannot move.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from chains.base import Row
from chains.evm.actions import Action, EvmPlan
from chains.evm.lifecycle import TxState, fold
from chains.evm.proposal import Proposal
from chains.evm.safe.lifecycle import fold_proposals

__all__ = ["Part", "next_nonce", "parts", "shift_of"]


@dataclass(frozen=True)
class Part:
    """Either transactions (``proposals`` empty), or proposals. ``movable`` when no later address rests on a nonce."""

    actions: tuple[Action, ...]
    proposals: tuple[Proposal, ...]
    before: tuple[str, ...]
    movable: bool

    def moved(self, shift: int) -> tuple[Action, ...]:
        return tuple(replace(action, nonce=action.nonce + shift) for action in self.actions)


def parts(plan: EvmPlan) -> list[Part]:
    """In the order they are carried out. ``before`` names the proposals of earlier parts."""
    by_action = {action: proposal for proposal in plan.proposals for action in proposal.actions}
    found: list[Part] = []
    before: tuple[str, ...] = ()
    done = 0
    for is_proposal, run in groupby(plan.actions, key=lambda a: a.kind == "proposal"):
        actions = tuple(run)
        done += len(actions)
        proposals = tuple(dict.fromkeys(by_action[a.id] for a in actions)) if is_proposal else ()
        movable = not any(a.kind == "create" for a in plan.actions[done:])
        found.append(Part(actions, proposals, before, movable))
        before += tuple(p.id for p in proposals)
    return found


def _used(states: Mapping[str, TxState], rows: Sequence[Row], plan: str, proposals: Sequence[str]) -> int:
    """How many nonces executions of these proposals took: those that were signed at least once."""
    carried = fold_proposals(rows, plan)
    executions = [e for name in proposals if name in carried for e in carried[name].executions]
    return sum(e.id in states and bool(states[e.id].attempts) for e in executions)


def shift_of(part: Part, rows: Sequence[Row], plan: str) -> int:
    return _used(fold(rows, plan), rows, plan, part.before)


def next_nonce(part: Part, rows: Sequence[Row], plan: str) -> int:
    """The deployer's next nonce while the proposals of ``part`` are open."""
    names = (*part.before, *(p.id for p in part.proposals))
    return part.actions[0].nonce + _used(fold(rows, plan), rows, plan, names)
