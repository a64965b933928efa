"""The journal a sender writes to: what the policy decides about a group of reservations is on disk with the group.

A decision has to be there before a key is used, and an fsync for each would cost more than all the rules together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chains.base import Journal, Row
from chains.evm.actions import Action, EvmPlan
from chains.evm.transaction import Fees, UnsignedTransaction
from pipeline.signing.base import EvmSigner

__all__ = ["DecidingJournal"]

Entry = tuple[str, Mapping[str, Any]]


@dataclass(frozen=True)
class DecidingJournal:
    """``plan`` is what the sender was given. A reservation it cannot place is left to ``EvmSigner.sign`` to decide."""

    journal: Journal
    plan: EvmPlan
    signer: EvmSigner

    @property
    def rows(self) -> Sequence[Row]:
        return self.journal.rows

    def append(self, kind: str, data: Mapping[str, Any]) -> Row:
        return self.append_all([(kind, data)])[0]

    def append_all(self, entries: Sequence[Entry]) -> Sequence[Row]:
        actions = {action.id: action for action in self.plan.actions}
        reserved = [data for kind, data in entries if kind == "tx.reserved" and data["action"] in actions]
        decisions = self.signer.decisions([_reserved(data, actions[data["action"]]) for data in reserved])
        return self.journal.append_all([*entries, *decisions])[: len(entries)]


def _reserved(data: Mapping[str, Any], action: Action) -> tuple[UnsignedTransaction, Action]:
    fees = Fees.from_json(data["fees"])
    unsigned = UnsignedTransaction(
        data["chain_id"], data["nonce"], action.to, action.value_wei, action.data, data["gas_limit"], fees
    )
    return unsigned, action
