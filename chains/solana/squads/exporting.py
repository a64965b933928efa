"""A proposal for people: in words, and in the forms other tools read.

`message` is what the vault transaction holds, the bytes its digest is of. `transaction` is the same as an unsigned Solana transaction with
the vault as its payer, which the Squads application's transaction builder takes in base58.
"""

from __future__ import annotations

import base64
from typing import Any

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from chains.solana.job import Job
from chains.solana.layouts import LOADER, elf_sha256
from chains.solana.localnode.base58 import b58encode
from chains.solana.squads.accounts import Multisig
from chains.solana.squads.standing import Standing, shown
from chains.solana.squads.wanted import Wanted
from chains.solana.transactions import compile_message, populate

__all__ = ["describe", "export"]

_UPGRADE = b"\x03\0\0\0"


def export(
    wanted: Wanted, multisig: Multisig, job: Job | None = None, standing: Standing | None = None
) -> dict[str, Any]:
    """All of it as JSON; the accounts on chain as well, once there is a ``standing``."""
    compact = wanted.message.compact()
    message = compile_message(Pubkey.from_string(wanted.vault), wanted.instructions, "1" * 32)
    raw = populate(message, [bytes(64)] * message.header.num_required_signatures)
    return {
        "schema": "ship/squads-proposal/1",
        "program": "squads-v4",
        **shown(multisig),
        "vault": wanted.vault,
        "vault_index": wanted.vault_index,
        "member": wanted.member,
        "message": {"base58": b58encode(compact), "base64": _base64(compact), "sha256": wanted.message.digest},
        "transaction": {"base58": b58encode(raw), "base64": _base64(raw)},
        "description": describe(wanted, multisig, job, standing),
        "standing": standing.to_json() if standing else None,
    }


def describe(wanted: Wanted, multisig: Multisig, job: Job | None = None, standing: Standing | None = None) -> list[str]:
    """Lines for whoever has to approve it: who decides, and each instruction in words, in order."""
    voters = [str(one.key) for one in multisig.members if "vote" in one.permissions]
    lines = [
        f"vault {wanted.vault} (number {wanted.vault_index}) of the multisig {wanted.multisig}",
        f"{multisig.threshold} of {len(voters)} members have to approve: {', '.join(voters)}",
    ]
    if multisig.time_lock_s:
        lines.append(f"it can be executed {multisig.time_lock_s} s after it was approved")
    if multisig.config_authority:
        lines.append(f"{multisig.config_authority} alone can change members and threshold")
    lines += [f"{number}. {_words(one, job)}" for number, one in enumerate(wanted.instructions, 1)]
    lines.append(f"message sha256 {wanted.message.digest}")
    if standing:
        lines.append(
            f"transaction {standing.index}: {standing.state}, {len(standing.approved)} of {multisig.threshold} approved"
        )
    return lines


def _words(made: Instruction, job: Job | None) -> str:
    keys = [str(meta.pubkey) for meta in made.accounts]
    if made.program_id == LOADER and bytes(made.data) == _UPGRADE and len(keys) == 7:
        known = job is not None and (job.program, job.buffer) == (keys[1], keys[2])
        holds = f" (program hash {elf_sha256(job.elf)}, {len(job.elf)} bytes)" if job is not None and known else ""
        return f"upgrade the program {keys[1]} from the buffer {keys[2]}{holds}; the buffer's rent goes to {keys[3]}"
    return f"call {made.program_id} with {len(keys)} accounts ({', '.join(keys)}) and the data {bytes(made.data).hex() or 'none'}"


def _base64(body: bytes) -> str:
    return base64.b64encode(body).decode()
