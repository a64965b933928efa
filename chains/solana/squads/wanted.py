"""What is to be proposed: pure values that follow from the plan, so that the same run finds its proposal again by what it holds."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from chains.errors import Refused
from chains.solana import loader
from chains.solana.fees import Budget
from chains.solana.job import Job
from chains.solana.squads.accounts import VaultTransaction
from chains.solana.squads.addresses import proposal_address, transaction_address
from chains.solana.squads.instructions import proposal_create, vault_transaction_create
from chains.solana.squads.message import MessageTooLarge, VaultMessage, compile_vault_message
from chains.solana.transactions import MAX_BYTES, compile_message, size

__all__ = ["OtherSigner", "Wanted", "upgrade_of"]


class OtherSigner(Refused):
    """SHIP-Q43: an instruction for a vault needs the signature of a key that is not the vault."""

    code = "SHIP-Q43"


@dataclass(frozen=True)
class Wanted:
    """``member`` proposes and ``payer`` pays; ``instructions`` are what the vault is to carry out, in this order.

    ``since`` is the multisig's newest transaction when the plan was made: the proposal is looked for behind it. Addresses in base58.
    """

    plan: str
    unit: str
    multisig: str
    vault: str
    vault_index: int
    member: str
    payer: str
    since: int
    instructions: tuple[Instruction, ...]
    memo: str | None = None

    @property
    def message(self) -> VaultMessage:
        """Raises ``MessageTooLarge``."""
        return compile_vault_message(Pubkey.from_string(self.vault), self.instructions)

    def is_held_by(self, found: VaultTransaction) -> bool:
        """Whether a transaction on chain is this one, whoever created it."""
        return (
            str(found.multisig) == self.multisig
            and found.vault_index == self.vault_index
            and found.ephemeral_signers == 0
            and found.message == self.message
        )

    def accounts(self, index: int) -> tuple[str, str]:
        """Addresses of the transaction and of its proposal."""
        key = Pubkey.from_string(self.multisig)
        return str(transaction_address(key, index)[0]), str(proposal_address(key, index)[0])

    def made(self, index: int) -> list[Instruction]:
        """The transaction and its proposal at ``index``: together, or neither."""
        multisig, member, payer = (Pubkey.from_string(key) for key in (self.multisig, self.member, self.payer))
        create = vault_transaction_create(multisig, index, member, payer, self.vault_index, self.message, self.memo)
        return [create, proposal_create(multisig, index, member, payer)]

    def spaces(self, members: int) -> tuple[int, int]:
        """Bytes of the two accounts whose rent the payer pays."""
        return 8 + 32 + 32 + 8 + 3 + 4 + len(self.message.borsh()), 8 + 32 + 8 + 9 + 1 + 3 * (4 + 32 * members)

    def check(self) -> None:
        """What can be refused without a look at the chain. Raises ``OtherSigner``, ``MessageTooLarge``."""
        message = self.message
        others = [str(key) for key in message.keys[: message.signers] if str(key) != self.vault]
        if others:
            raise OtherSigner(
                f"the vault's instructions need a signature of {', '.join(others)} as well",
                remedy="Only the vault can sign in a proposal: take that instruction out, or make the vault its signer.",
            )
        made = [*Budget(1, 1).instructions(), *self.made(1)]
        took = size(compile_message(Pubkey.from_string(self.payer), made, "1" * 32))
        if took > MAX_BYTES:
            raise MessageTooLarge(
                f"proposing this takes a transaction of {took} bytes, {took - MAX_BYTES} too many",
                remedy="Take extra instructions out of the proposal, or shorten the memo.",
            )

    def to_json(self) -> dict[str, Any]:
        """What the plan shows and the journal keeps, the message whole."""
        message = self.message
        return {
            "multisig": self.multisig,
            "vault": self.vault,
            "vault_index": self.vault_index,
            "member": self.member,
            "payer": self.payer,
            "since": self.since,
            "memo": self.memo,
            "message": base64.b64encode(message.compact()).decode(),
            "message_sha256": message.digest,
        }


def upgrade_of(
    job: Job,
    multisig: str,
    vault_index: int,
    member: str,
    since: int,
    *,
    first: Sequence[Instruction] = (),
    spill: str | None = None,
    memo: str | None = None,
) -> Wanted:
    """The upgrade of ``job``, whose authority is the vault, behind the instructions ``first``.

    ``spill`` gets the buffer's rent back; the payer does where it is ``None``.
    """
    program, buffer, vault = (Pubkey.from_string(key) for key in (job.program, job.buffer, job.authority))
    last = loader.upgrade(program, buffer, vault, Pubkey.from_string(spill or job.payer))
    return Wanted(
        job.plan,
        job.unit,
        multisig,
        job.authority,
        vault_index,
        member,
        job.payer,
        since,
        (*first, last),
        memo,
    )
