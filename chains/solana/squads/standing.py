"""Where a proposal stands, read from the chain; and what the journal knows of it.

    PLANNED (sol.proposing) → SIGNED (sol.signed, "propose 7") → PROPOSED (sol.proposed) → FINAL (sol.final)

Rows beside those of ``chains.solana.lifecycle``, each with ``plan`` and ``unit``:

    sol.proposing  what is to be proposed, whole, before anything is signed
    sol.overtaken  index, signature, holder: another's transaction took the index that ours was signed for, at finality
    sol.proposed   index, transaction, proposal, message_sha256, creator, slot, threshold …: on chain at finality, on two providers' word
    sol.decided    status, approved, rejected, cancelled: when that is news
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from chains.base import Row
from chains.solana.layouts import Account
from chains.solana.rpc import Cluster
from chains.solana.squads.accounts import (
    Multisig,
    Proposal,
    VaultTransaction,
    is_transaction,
    parse_multisig,
    parse_proposal,
    parse_transaction,
)
from chains.solana.squads.wanted import Wanted

__all__ = ["Found", "ProposalRows", "Standing", "State", "found_in", "proposal_rows", "search", "shown", "there"]

State = Literal["pending", "approved", "executed", "rejected", "cancelled", "stale", "closed"]
_AT_ONCE = 48


@dataclass(frozen=True)
class Found:
    """Our transaction on chain; ``proposal`` is ``None`` while nobody opened it to votes."""

    index: int
    transaction: VaultTransaction
    proposal: Proposal | None


@dataclass(frozen=True)
class Standing:
    """A proposal as people have to see it. ``ready_s`` is when an approved one may be executed, by the cluster's clock.

    ``multisig`` is as it is now: members and threshold may have changed since the proposal was made.
    """

    state: State
    index: int
    transaction: str
    proposal: str
    multisig: Multisig
    approved: tuple[str, ...] = ()
    rejected: tuple[str, ...] = ()
    cancelled: tuple[str, ...] = ()
    ready_s: int | None = None

    @classmethod
    def of(cls, wanted: Wanted, multisig: Multisig, index: int, found: Found | None) -> Standing:
        """``found`` is ``None`` for one whose accounts were closed."""
        places = wanted.accounts(index)
        votes = found.proposal if found else None
        if votes is None:
            return cls("closed" if found is None else "pending", index, *places, multisig)
        state: State
        match votes.status:
            case "executed" | "rejected" | "cancelled":
                state = votes.status
            case "approved" | "executing":
                state = "approved"
            case _:
                state = "stale" if index <= multisig.stale_index else "pending"
        approved, rejected, cancelled = (
            tuple(map(str, keys)) for keys in (votes.approved, votes.rejected, votes.cancelled)
        )
        ready_s = votes.since_s + multisig.time_lock_s if state == "approved" and votes.since_s is not None else None
        return cls(state, index, *places, multisig, approved, rejected, cancelled, ready_s)

    def to_json(self) -> dict[str, Any]:
        return {
            "state": self.state,
            "index": self.index,
            "transaction": self.transaction,
            "proposal": self.proposal,
            "approved": list(self.approved),
            "rejected": list(self.rejected),
            "cancelled": list(self.cancelled),
            "ready_s": self.ready_s,
            **shown(self.multisig),
        }


def shown(multisig: Multisig) -> dict[str, Any]:
    """Who decides: for plan, journal and record."""
    return {
        "multisig": str(multisig.address),
        "threshold": multisig.threshold,
        "time_lock_s": multisig.time_lock_s,
        "config_authority": str(multisig.config_authority) if multisig.config_authority else None,
        "members": [{"key": str(one.key), "may": one.permissions} for one in multisig.members],
    }


def there(account: Account | None) -> bool:
    """Whether the program keeps something at an address: lamports that anybody can send to one make no account of it."""
    return account is not None and bool(account.data)


def found_in(wanted: Wanted, index: int, accounts: Mapping[str, Account | None]) -> Found | None:
    """Ours at ``index``, if that is what lies there. Raises ``Unreadable`` for a vault transaction that cannot be read."""
    at, votes_at = wanted.accounts(index)
    held, votes = accounts[at], accounts[votes_at]
    if held is None or not is_transaction(held):
        return None
    transaction = parse_transaction(at, held)
    if not wanted.is_held_by(transaction):
        return None
    return Found(index, transaction, parse_proposal(votes_at, votes) if votes and there(votes) else None)


def search(cluster: Cluster, wanted: Wanted, *, newest_only: int | None = None) -> tuple[Multisig, Found | None]:
    """The multisig, and our transaction among those behind ``since``, the newest first: found by what it holds.

    ``newest_only`` bounds how far back a repeated search goes. Raises ``Unreadable``.
    """
    multisig = parse_multisig(wanted.multisig, _there(cluster, wanted.multisig))
    first = wanted.since + 1
    if newest_only is not None:
        first = max(first, multisig.transaction_index - newest_only)
    for top in range(multisig.transaction_index, first - 1, -_AT_ONCE):
        indices = range(top, max(first, top - _AT_ONCE + 1) - 1, -1)
        accounts = cluster.accounts([key for index in indices for key in wanted.accounts(index)], "confirmed")
        for index in indices:
            if found := found_in(wanted, index, accounts):
                return multisig, found
    return multisig, None


def _there(cluster: Cluster, address: str) -> Account:
    found = cluster.accounts([address], "confirmed")[address]
    return found or Account(0, "nobody", b"", False, 0)


@dataclass
class ProposalRows:
    """What the journal knows of one unit's proposal."""

    planned: Mapping[str, Any] | None = None
    proposed: Mapping[str, Any] | None = None
    decided: Mapping[str, Any] | None = None
    overtaken: set[int] = field(default_factory=set)

    def apply(self, row: Row) -> None:
        match row.kind:
            case "sol.proposing":
                self.planned = row.data
            case "sol.proposed":
                self.proposed = row.data
            case "sol.decided":
                self.decided = row.data
            case "sol.overtaken":
                self.overtaken.add(row.data["index"])


def proposal_rows(rows: Iterable[Row], plan: str, unit: str) -> ProposalRows:
    """Fold a journal."""
    state = ProposalRows()
    for row in rows:
        if row.data.get("plan") == plan and row.data.get("unit") == unit:
            state.apply(row)
    return state
