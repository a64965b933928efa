"""The account in which Anchor programs up to 0.32 keep their IDL, read strictly, and the instructions they carry for it.

    account      8 bytes (sha256 "internal:IdlAccount"), authority, u32 length, deflated IDL, room
    instruction  8 bytes (0x0a69e9a778bcf440, little-endian), u8 which, its fields

Source: coral-xyz/anchor, lang/src/idl.rs and the accounts its macros declare for each instruction.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from hashlib import sha256

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from chains.errors import NeedsPerson
from chains.solana.layouts import Account

__all__ = [
    "HEAD",
    "MOST",
    "SEED",
    "TAG",
    "IdlAccount",
    "IdlUnreadable",
    "close",
    "create",
    "create_buffer",
    "idl_address",
    "parse_idl",
    "resize",
    "set_authority",
    "set_buffer",
    "write",
]

SEED = "anchor:idl"
TAG = struct.pack("<Q", 0x0A69E9A778BCF440)
HEAD = 44
MOST = 10_000
"""Bytes an account is created with at most, and grows by with each Resize."""
_DISCRIMINATOR = sha256(b"internal:IdlAccount").digest()[:8]
_SYSTEM = Pubkey.default()


class IdlUnreadable(NeedsPerson):
    """SHIP-Q66: an account is not an Anchor IDL account of the program that owns it."""

    code = "SHIP-Q66"


@dataclass(frozen=True)
class IdlAccount:
    """``authority`` alone writes; ``capacity`` is what ``data`` can grow to."""

    authority: Pubkey
    data: bytes
    capacity: int


def _base(program: Pubkey) -> Pubkey:
    return Pubkey.find_program_address([], program)[0]


def idl_address(program: Pubkey) -> Pubkey:
    """Where clients look for the IDL."""
    return Pubkey.create_with_seed(_base(program), SEED, program)


def parse_idl(account: Account, program: Pubkey) -> IdlAccount:
    """Raises ``IdlUnreadable``."""
    data = account.data
    if account.owner != str(program) or len(data) < HEAD or data[:8] != _DISCRIMINATOR:
        raise IdlUnreadable(
            f"an account that should be the IDL of {program} is not one (owner {account.owner}, {len(data)} bytes)",
            remedy="Look at the address in an explorer, and ask another node.",
        )
    (length,) = struct.unpack_from("<I", data, 40)
    if length > len(data) - HEAD:
        raise IdlUnreadable(
            f"the IDL account of {program} has {len(data)} bytes and says that it holds {length}",
            remedy="Its program wrote it so. Close it with the program's own tool.",
        )
    return IdlAccount(Pubkey.from_bytes(data[8:40]), data[HEAD : HEAD + length], len(data) - HEAD)


def _made(program: Pubkey, which: int, fields: bytes, *keys: tuple[Pubkey, str]) -> Instruction:
    metas = [AccountMeta(key, "s" in flags, "w" in flags) for key, flags in keys]
    return Instruction(program, TAG + bytes([which]) + fields, metas)


def create(program: Pubkey, authority: Pubkey, length: int) -> Instruction:
    """Make the account, with room for ``length`` bytes or ``MOST`` in all. Whoever signs first is its authority, and pays."""
    keys = [(authority, "sw"), (idl_address(program), "w"), (_base(program), ""), (_SYSTEM, ""), (program, "")]
    return _made(program, 0, struct.pack("<Q", length), *keys)


def create_buffer(program: Pubkey, buffer: Pubkey, authority: Pubkey) -> Instruction:
    return _made(program, 1, b"", (buffer, "w"), (authority, "s"))


def write(program: Pubkey, account: Pubkey, authority: Pubkey, data: bytes) -> Instruction:
    """Append."""
    return _made(program, 2, struct.pack("<I", len(data)) + data, (account, "w"), (authority, "s"))


def set_buffer(program: Pubkey, buffer: Pubkey, authority: Pubkey) -> Instruction:
    """Make the buffer's data the IDL; both accounts have to have the same authority."""
    return _made(program, 3, b"", (buffer, "w"), (idl_address(program), "w"), (authority, "s"))


def set_authority(program: Pubkey, account: Pubkey, authority: Pubkey, new: Pubkey) -> Instruction:
    return _made(program, 4, bytes(new), (account, "w"), (authority, "s"))


def close(program: Pubkey, account: Pubkey, authority: Pubkey, destination: Pubkey) -> Instruction:
    return _made(program, 5, b"", (account, "w"), (authority, "s"), (destination, "w"))


def resize(program: Pubkey, authority: Pubkey, size: int) -> Instruction:
    """Towards ``size`` bytes in all, ``MOST`` at a time; only while it holds nothing. The authority pays."""
    keys = [(idl_address(program), "w"), (authority, "sw"), (_SYSTEM, "")]
    return _made(program, 6, struct.pack("<Q", size), *keys)
