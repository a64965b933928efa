"""What the Squads program keeps in its accounts, read strictly: an account counts only at the address that its content gives.

An account may be longer than what it holds, and keep what stood there before (a vote taken back): only a transaction, which never
changes, has to end with zeros.

Source: Squads v4, ``state/{multisig,vault_transaction,proposal}.rs``; discriminators are sha256("account:Name")[:8].
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

from solders.pubkey import Pubkey

from chains.solana.layouts import Account
from chains.solana.squads.addresses import (
    SQUADS,
    multisig_address,
    proposal_address,
    transaction_address,
    vault_address,
)
from chains.solana.squads.message import Reader, VaultMessage

__all__ = [
    "EXECUTE",
    "INITIATE",
    "VOTE",
    "Member",
    "Multisig",
    "Proposal",
    "Status",
    "VaultTransaction",
    "is_transaction",
    "parse_multisig",
    "parse_proposal",
    "parse_transaction",
]

INITIATE, VOTE, EXECUTE = 1, 2, 4
_WORDS = {INITIATE: "initiate", VOTE: "vote", EXECUTE: "execute"}

Status = Literal["draft", "active", "rejected", "approved", "executing", "executed", "cancelled"]
_STATUSES: tuple[Status, ...] = ("draft", "active", "rejected", "approved", "executing", "executed", "cancelled")


@dataclass(frozen=True)
class Member:
    """A key and what it may do: a mask of ``INITIATE``, ``VOTE``, ``EXECUTE``."""

    key: Pubkey
    mask: int

    @property
    def permissions(self) -> list[str]:
        return [word for bit, word in _WORDS.items() if self.mask & bit]


@dataclass(frozen=True)
class Multisig:
    """``transaction_index`` is the newest transaction's number; those up to ``stale_index`` cannot be voted on any more.

    ``config_authority`` is ``None`` where only the members themselves change the members.
    """

    address: Pubkey
    create_key: Pubkey
    config_authority: Pubkey | None
    threshold: int
    time_lock_s: int
    transaction_index: int
    stale_index: int
    members: tuple[Member, ...]

    def may(self, key: str, permission: int) -> bool:
        return any(str(one.key) == key and one.mask & permission for one in self.members)

    @property
    def voters(self) -> int:
        return sum(bool(one.mask & VOTE) for one in self.members)


@dataclass(frozen=True)
class VaultTransaction:
    """What number ``index`` would have the vault do."""

    multisig: Pubkey
    creator: Pubkey
    index: int
    vault_index: int
    ephemeral_signers: int
    message: VaultMessage


@dataclass(frozen=True)
class Proposal:
    """The votes on number ``index``. ``since_s`` is when it came to its status, by the cluster's clock."""

    multisig: Pubkey
    index: int
    status: Status
    since_s: int | None
    approved: tuple[Pubkey, ...]
    rejected: tuple[Pubkey, ...]
    cancelled: tuple[Pubkey, ...]


def _reader(account: Account, name: str) -> Reader:
    reader = Reader(account.data, name)
    if account.owner != str(SQUADS):
        raise reader.fail(f"its owner is {account.owner}")
    if reader.take(8) != sha256(f"account:{name}".encode()).digest()[:8]:
        raise reader.fail("it begins as something else")
    return reader


def is_transaction(account: Account) -> bool:
    """Whether it says that it is a vault transaction: at other indices lie batches, and changes of the multisig's settings."""
    return account.owner == str(SQUADS) and account.data[:8] == sha256(b"account:VaultTransaction").digest()[:8]


def _at(reader: Reader, address: str, expected: tuple[Pubkey, int], bump: int) -> None:
    if (address, bump) != (str(expected[0]), expected[1]):
        raise reader.fail(f"its content belongs at {expected[0]}, not at {address}")


def parse_multisig(address: str, account: Account) -> Multisig:
    """Raises ``Unreadable``."""
    reader = _reader(account, "Multisig")
    create_key, config = reader.key(), reader.key()
    threshold, time_lock_s = reader.number(2), reader.number(4)
    newest, stale = reader.number(8), reader.number(8)
    if (collects := reader.number(1)) == 1:
        reader.key()
    elif collects:
        raise reader.fail("an option is neither none nor some")
    _at(reader, address, multisig_address(create_key), reader.number(1))
    members = reader.many(4, lambda: Member(reader.key(), reader.number(1)))
    found = Multisig(
        Pubkey.from_string(address),
        create_key,
        None if config == Pubkey.default() else config,
        threshold,
        time_lock_s,
        newest,
        stale,
        members,
    )
    keys = [bytes(one.key) for one in members]
    if keys != sorted(set(keys)) or any(one.mask > INITIATE | VOTE | EXECUTE for one in members):
        raise reader.fail("its members are not in order, or may do what nobody knows")
    if not 0 < threshold <= found.voters or stale > newest:
        raise reader.fail(f"a threshold of {threshold} with {found.voters} voters, or a stale index past the newest")
    return found


def parse_transaction(address: str, account: Account) -> VaultTransaction:
    """Raises ``Unreadable``, for a batch or a change of the multisig's own settings too."""
    reader = _reader(account, "VaultTransaction")
    multisig, creator, index = reader.key(), reader.key(), reader.number(8)
    _at(reader, address, transaction_address(multisig, index), reader.number(1))
    vault_index, vault_bump = reader.number(1), reader.number(1)
    ephemeral = len(reader.take(reader.number(4)))
    message = VaultMessage.read(reader)
    if any(reader.rest) or vault_address(multisig, vault_index)[1] != vault_bump:
        raise reader.fail("it holds more than a transaction, or another vault's bump")
    return VaultTransaction(multisig, creator, index, vault_index, ephemeral, message)


def parse_proposal(address: str, account: Account) -> Proposal:
    """Raises ``Unreadable``."""
    reader = _reader(account, "Proposal")
    multisig, index, status = reader.key(), reader.number(8), reader.number(1)
    if status >= len(_STATUSES):
        raise reader.fail(f"a status {status}")
    word = _STATUSES[status]
    since_s = None if word == "executing" else reader.number(8, signed=True)
    _at(reader, address, proposal_address(multisig, index), reader.number(1))
    votes = [reader.many(4, reader.key) for _ in range(3)]
    return Proposal(multisig, index, word, since_s, *votes)
