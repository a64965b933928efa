"""Actions that wait: put off as long as nothing depends on them, so that a plan stops as seldom as it can.

Proposals to Safe owners and operations of timelocks are held back until a unit that refers to theirs comes up, or the
plan ends. Those of one Safe that then stand together become one transaction (a batch, when they are several).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from chains.evm.actions import Action
from chains.evm.authority import Authorities
from chains.evm.proposal import Proposal
from chains.evm.safe.multisend import InnerCall, find_multisend, multisend_calldata
from chains.evm.safe.reading import SafeState, checked_hash
from chains.evm.safe.typed import SafeTx

__all__ = ["Waiting", "proposals_of"]


@dataclass
class Waiting:
    """The actions held back while a plan is laid out. ``needs`` holds, by unit, all it depends on, however far."""

    needs: Mapping[str, frozenset[str]]
    _held: list[Action] = field(default_factory=list)

    def hold(self, actions: Sequence[Action]) -> None:
        self._held += actions

    def due(self, unit: str | None) -> list[Action]:
        """What must come before ``unit`` (``None``: before the end): nothing, or all that is held.

        Conditions of a timelock come last, so that everything is scheduled before anything is waited for.
        """
        reached = {unit, *self.needs.get(unit, ())} if unit is not None else {a.unit for a in self._held}
        if not any(action.unit in reached for action in self._held):
            return []
        due = [a for a in self._held if a.ready is None] + [a for a in self._held if a.ready is not None]
        self._held.clear()
        return due


def proposals_of(actions: Sequence[Action], authorities: Authorities) -> tuple[Proposal, ...]:
    """The Safe transactions that stand for the plan's proposals, hashed by us and by each Safe.

    Raises ``NoMultiSend``, ``SafeUnsupported``.
    """
    proposals: list[Proposal] = []
    taken: dict[str, int] = {}
    for is_proposal, run in groupby(actions, key=lambda a: a.kind == "proposal"):
        if not is_proposal:
            continue
        for group in _groups(list(run)):
            safe = authorities.safe(str(group[0].by))
            assert safe is not None
            nonce = taken.setdefault(safe.address, safe.nonce)
            taken[safe.address] += 1
            proposals.append(_proposal(f"safe.{len(proposals) + 1}", safe, nonce, group, authorities))
    return tuple(proposals)


def _groups(run: Sequence[Action]) -> list[list[Action]]:
    """By Safe, in order; one that has to wait for a timelock stands alone."""
    groups: list[list[Action]] = []
    together: dict[str, list[Action]] = {}
    for action in run:
        if action.ready is not None:
            groups.append([action])
        elif action.by in together:
            together[action.by].append(action)
        else:
            groups.append([action])
            together[str(action.by)] = groups[-1]
    return groups


def _proposal(name: str, safe: SafeState, nonce: int, group: Sequence[Action], authorities: Authorities) -> Proposal:
    if len(group) == 1:
        action = group[0]
        assert action.to is not None
        tx = SafeTx(action.to, action.value_wei, action.data, 0, nonce)
    else:
        calls = [InnerCall(str(a.to), a.value_wei, a.data) for a in group]
        tx = SafeTx(find_multisend(authorities.node), 0, multisend_calldata(calls), 1, nonce)
    digest = checked_hash(authorities.node.rpc, safe, tx)
    ids = tuple(a.id for a in group)
    return Proposal(name, safe.address, safe.version, tx, "0x" + digest.hex(), ids, safe.owners, safe.threshold)
