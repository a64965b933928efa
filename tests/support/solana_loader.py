"""The upgradeable loader's instructions, written from its published interface for tests: what ``ship`` sends is held against
a chain that these, and no code of ``ship``'s, prepared."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence

from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import Message
from solders.pubkey import Pubkey
from solders.system_program import CreateAccountParams, create_account
from solders.transaction import Transaction

__all__ = ["LOADER", "deploy_transactions", "program_data", "upgrade_transactions"]

LOADER = Pubkey.from_string("BPFLoaderUpgradeab1e11111111111111111111111")
_SYSTEM = Pubkey.default()
_RENT = Pubkey.from_string("SysvarRent111111111111111111111111111111111")
_CLOCK = Pubkey.from_string("SysvarC1ock11111111111111111111111111111111")
_BUFFER_HEAD, _PROGRAM_HEAD, _DATA_HEAD, _CHUNK = 37, 36, 45, 900


def program_data(program: Pubkey) -> Pubkey:
    return Pubkey.find_program_address([bytes(program)], LOADER)[0]


def _meta(key: Pubkey, flags: str = "") -> AccountMeta:
    return AccountMeta(key, "s" in flags, "w" in flags)


def _signed(payer: Keypair, blockhash: str, instructions: Sequence[Instruction], *others: Keypair) -> Transaction:
    hashed = Hash.from_string(blockhash)
    return Transaction([payer, *others], Message.new_with_blockhash(instructions, payer.pubkey(), hashed), hashed)


def _space(payer: Keypair, key: Keypair, length: int, rent: Callable[[int], int]) -> Instruction:
    return create_account(
        CreateAccountParams(
            from_pubkey=payer.pubkey(), to_pubkey=key.pubkey(), lamports=rent(length), space=length, owner=LOADER
        )
    )


def _buffer(
    payer: Keypair, elf: bytes, blockhash: str, rent: Callable[[int], int]
) -> tuple[Keypair, list[list[Transaction]]]:
    buffer, authority = Keypair(), payer.pubkey()
    begin = [
        _space(payer, buffer, _BUFFER_HEAD + len(elf), rent),
        Instruction(LOADER, struct.pack("<I", 0), [_meta(buffer.pubkey(), "w"), _meta(authority)]),
    ]
    writes = [
        Instruction(
            LOADER,
            struct.pack("<IIQ", 1, at, len(elf[at : at + _CHUNK])) + elf[at : at + _CHUNK],
            [_meta(buffer.pubkey(), "w"), _meta(authority, "s")],
        )
        for at in range(0, len(elf), _CHUNK)
    ]
    waves = [[_signed(payer, blockhash, begin, buffer)], [_signed(payer, blockhash, [write]) for write in writes]]
    return buffer, waves


def deploy_transactions(
    payer: Keypair,
    program: Keypair,
    elf: bytes,
    blockhash: str,
    rent: Callable[[int], int],
    max_length: int | None = None,
) -> list[list[Transaction]]:
    """Waves of transactions that put ``elf`` on chain, ``payer`` being the upgrade authority."""
    buffer, waves = _buffer(payer, elf, blockhash, rent)
    deploy = Instruction(
        LOADER,
        struct.pack("<IQ", 2, max_length or len(elf)),
        [
            _meta(payer.pubkey(), "sw"),
            _meta(program_data(program.pubkey()), "w"),
            _meta(program.pubkey(), "w"),
            _meta(buffer.pubkey(), "w"),
            _meta(_RENT),
            _meta(_CLOCK),
            _meta(_SYSTEM),
            _meta(payer.pubkey(), "s"),
        ],
    )
    space = _space(payer, program, _PROGRAM_HEAD, rent)
    return [*waves, [_signed(payer, blockhash, [space, deploy], program)]]


def upgrade_transactions(
    payer: Keypair, program: Pubkey, elf: bytes, blockhash: str, rent: Callable[[int], int]
) -> list[list[Transaction]]:
    """Waves of transactions that put ``elf`` in the place of what is there."""
    buffer, waves = _buffer(payer, elf, blockhash, rent)
    upgrade = Instruction(
        LOADER,
        struct.pack("<I", 3),
        [
            _meta(program_data(program), "w"),
            _meta(program, "w"),
            _meta(buffer.pubkey(), "w"),
            _meta(payer.pubkey(), "w"),
            _meta(_RENT),
            _meta(_CLOCK),
            _meta(payer.pubkey(), "s"),
        ],
    )
    return [*waves, [_signed(payer, blockhash, [upgrade])]]
