"""Everything a pack says of a plan, made from the plan, its bundle and a copy of the chain; the same wherever it is made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chains.base import Clock
from chains.canonical import pretty
from chains.evm.node import Head
from chains.rpc import Rpc
from pipeline.bundle import Bundle
from pipeline.plan import Plan
from pipeline.review.agreeing import disagreements, transactions_document
from pipeline.review.allowing import allowed_slots, not_allowed
from pipeline.review.contracts import Codes, names_of
from pipeline.review.events import events_document
from pipeline.review.hashes import signing_document
from pipeline.review.keys import KnownKeys
from pipeline.review.running import replica
from pipeline.review.state import inspect_state

__all__ = ["Documents", "Source", "make_documents"]


@dataclass(frozen=True)
class Source:
    """A chain to copy: through whose endpoints, with which anvil."""

    rpc: Rpc
    anvil: Path
    clock: Clock


@dataclass(frozen=True)
class Documents:
    """``unexplained`` are patterns of slots nobody allowed, ``disagree`` what the two renderers differ in, ``failing`` the
    plan's checks that do not hold on the copy."""

    transactions: Mapping[str, Any]
    state: Mapping[str, Any]
    events: Mapping[str, Any]
    signing: Mapping[str, Any]
    unexplained: Sequence[str]
    disagree: Sequence[str]
    failing: Sequence[str]

    def files(self, plan: Plan) -> dict[str, bytes]:
        """The pack's files by name, without the plan itself."""
        from pipeline.review.markdown import plan_markdown

        return {
            "transactions.json": pretty(self.transactions),
            "state.json": pretty(self.state),
            "events.json": pretty(self.events),
            "signing.json": pretty(self.signing),
            "plan.md": plan_markdown(plan, self).encode(),
        }


def make_documents(plan: Plan, bundle: Bundle, source: Source, head: Head, allow: Sequence[str]) -> Documents:
    """Carry the plan out on a copy of the chain at ``head`` and tell all of it. ``allow``: slots by name.

    Raises ``ReviewFailed`` and ``RenderersDisagree``.
    """
    codes, names = Codes.of(bundle), names_of(plan)
    transactions = transactions_document(plan, codes)
    signing = signing_document(plan)
    keys = _keys(plan, transactions)
    with replica(source.rpc, source.anvil, head, source.clock) as there:
        steps = there.run(plan.body.actions, plan.body.deployer)
        state = inspect_state(there, steps, codes, names, keys)
        failing = there.wrong_checks(plan.body.checks)
    allowed = allowed_slots(state, allow)
    return Documents(
        transactions=transactions,
        state=state.to_json(allowed),
        events=events_document(steps, codes, names, keys),
        signing=signing,
        unexplained=not_allowed(state, allowed),
        disagree=disagreements(plan, transactions, signing),
        failing=failing,
    )


def _keys(plan: Plan, transactions: Mapping[str, Any]) -> KnownKeys:
    """What the plan itself speaks of: addresses, arguments, names."""
    keys = KnownKeys()
    body = plan.body
    keys.add_address(body.deployer)
    for unit in body.units:
        keys.add_name(unit.name)
        keys.add_name(unit.name.upper())
        for part in ("address", "implementation", "admin", "beacon"):
            keys.add_address(unit.after.get(part))
    for action in body.actions:
        keys.add_address(action.to)
        keys.add_address(action.address)
        for argument in action.args:
            keys.add_value(argument["value"])
        if action.to:
            keys.add_words(action.data[4:])
        for created in action.creates:
            keys.add_address(created["address"])
    for proposal in body.proposals:
        keys.add_address(proposal.safe)
        for owner in proposal.owners:
            keys.add_address(owner)
    for shown in (*transactions["transactions"], *transactions["proposals"]):
        _learn_arguments(keys, shown["arguments"])
    return keys


def _learn_arguments(keys: KnownKeys, arguments: Sequence[Mapping[str, Any]]) -> None:
    for argument in arguments:
        keys.add_value(argument["value"])
        for call in argument.get("calls", ()):
            _learn_arguments(keys, call["arguments"])
