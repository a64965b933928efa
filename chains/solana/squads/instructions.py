"""The Squads program's instructions that a proposal needs.

Source: Squads v4, ``instructions/*.rs``: sha256("global:name")[:8], then Borsh.
"""

from __future__ import annotations

import struct
from hashlib import sha256
from typing import Literal

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from chains.solana.squads.addresses import SQUADS, proposal_address, transaction_address
from chains.solana.squads.message import Unreadable, VaultMessage

__all__ = ["proposal_create", "proposal_vote", "vault_transaction_create", "vault_transaction_execute"]

Vote = Literal["approve", "reject", "cancel"]


def _tag(name: str) -> bytes:
    return sha256(f"global:{name}".encode()).digest()[:8]


def _memo(text: str | None) -> bytes:
    if text is None:
        return b"\0"
    body = text.encode()
    return struct.pack("<BI", 1, len(body)) + body


def _meta(key: Pubkey, *, signer: bool = False, writable: bool = False) -> AccountMeta:
    return AccountMeta(key, signer, writable)


def _creating(multisig: Pubkey, made: Pubkey, creator: Pubkey, payer: Pubkey, *, counts: bool) -> list[AccountMeta]:
    return [
        _meta(multisig, writable=counts),
        _meta(made, writable=True),
        _meta(creator, signer=True),
        _meta(payer, signer=True, writable=True),
        _meta(Pubkey.default()),
    ]


def vault_transaction_create(
    multisig: Pubkey,
    index: int,
    creator: Pubkey,
    payer: Pubkey,
    vault_index: int,
    message: VaultMessage,
    memo: str | None = None,
) -> Instruction:
    """``index`` has to be one more than the multisig's newest; ``payer`` pays the account's rent. The memo is logged, not kept."""
    body = message.compact()
    data = struct.pack("<BBI", vault_index, 0, len(body)) + body + _memo(memo)
    accounts = _creating(multisig, transaction_address(multisig, index)[0], creator, payer, counts=True)
    return Instruction(SQUADS, _tag("vault_transaction_create") + data, accounts)


def proposal_create(multisig: Pubkey, index: int, creator: Pubkey, payer: Pubkey) -> Instruction:
    """Open number ``index`` to votes at once (no draft)."""
    accounts = _creating(multisig, proposal_address(multisig, index)[0], creator, payer, counts=False)
    return Instruction(SQUADS, _tag("proposal_create") + struct.pack("<Q?", index, False), accounts)


def proposal_vote(vote: Vote, multisig: Pubkey, index: int, member: Pubkey, memo: str | None = None) -> Instruction:
    """A member's vote; only what was approved can be cancelled."""
    accounts = [
        _meta(multisig),
        _meta(member, signer=True, writable=True),
        _meta(proposal_address(multisig, index)[0], writable=True),
    ]
    return Instruction(SQUADS, _tag(f"proposal_{vote}") + _memo(memo), accounts)


def vault_transaction_execute(
    multisig: Pubkey, index: int, member: Pubkey, vault: Pubkey, message: VaultMessage
) -> Instruction:
    """Carry an approved number ``index`` out. The message's keys follow, the vault not as a signer: the program signs for it.

    Raises ``Unreadable`` for a message with lookup tables.
    """
    if message.lookups:
        raise Unreadable(
            f"transaction {index} takes keys from lookup tables", remedy="Execute it in the Squads application."
        )
    accounts = [
        _meta(multisig),
        _meta(proposal_address(multisig, index)[0], writable=True),
        _meta(transaction_address(multisig, index)[0]),
        _meta(member, signer=True),
    ]
    accounts += [
        _meta(key, signer=place < message.signers and key != vault, writable=message.is_writable(place))
        for place, key in enumerate(message.keys)
    ]
    return Instruction(SQUADS, _tag("vault_transaction_execute"), accounts)
