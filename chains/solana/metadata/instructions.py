"""The Program Metadata program's instructions: a u8, then the fields; an account that is not given is the program itself.

Source: solana-program/program-metadata, its IDL; held byte for byte against its published client in the tests.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from chains.solana.metadata.layout import PROGRAM, Form

__all__ = ["MAX_GROWTH", "allocate", "close", "extend", "extend_by", "initialize", "set_data", "trim", "write"]

MAX_GROWTH = 10_240
"""Bytes an account can grow by in one instruction (MAX_PERMITTED_DATA_INCREASE)."""
_SYSTEM = Pubkey.default()
_RENT = Pubkey.from_string("SysvarRent111111111111111111111111111111111")


def _made(data: bytes, *keys: tuple[Pubkey | None, str]) -> Instruction:
    """Flags: ``w`` writable, ``s`` signs."""
    metas = [AccountMeta(key or PROGRAM, "s" in flags, key is not None and "w" in flags) for key, flags in keys]
    return Instruction(PROGRAM, data, metas)


def write(
    buffer: Pubkey, authority: Pubkey, offset: int, data: bytes = b"", source: Pubkey | None = None
) -> Instruction:
    """Bytes at an offset of the buffer's data: ``data``, or all that another buffer holds."""
    return _made(struct.pack("<BI", 0, offset) + data, (buffer, "w"), (authority, "s"), (source, ""))


def initialize(
    metadata: Pubkey,
    authority: Pubkey,
    program: Pubkey,
    program_data: Pubkey,
    seed16: bytes,
    form: Form,
    data: bytes = b"",
) -> Instruction:
    """Make it a metadata account: out of ``data``, or, without any, out of the buffer that lies at its address."""
    keys = [(metadata, "w"), (authority, "s"), (program, ""), (program_data, ""), (_SYSTEM if data else PROGRAM, "")]
    return _made(b"\1" + seed16 + form.bytes + data, *keys)


def set_data(
    metadata: Pubkey,
    authority: Pubkey,
    program: Pubkey,
    program_data: Pubkey,
    form: Form,
    data: bytes = b"",
    buffer: Pubkey | None = None,
) -> Instruction:
    """Other data: ``data``, or what a buffer holds."""
    keys = [(metadata, "w"), (authority, "s"), (buffer, "w"), (program, ""), (program_data, "")]
    return _made(b"\3" + form.bytes + data, *keys)


def trim(account: Pubkey, authority: Pubkey, program: Pubkey, program_data: Pubkey, destination: Pubkey) -> Instruction:
    """Give back the rent of room that is not used any more."""
    keys = [(account, "w"), (authority, "s"), (program, ""), (program_data, ""), (destination, "w"), (_RENT, "")]
    return _made(b"\5", *keys)


def close(buffer: Pubkey, authority: Pubkey, destination: Pubkey) -> Instruction:
    """End a buffer that belongs to ``authority`` itself; its lamports go to ``destination``."""
    return _made(b"\6", (buffer, "w"), (authority, "s"), (None, ""), (None, ""), (destination, "w"))


def allocate(
    buffer: Pubkey, authority: Pubkey, program: Pubkey, seed16: bytes, program_data: Pubkey | None = None
) -> Instruction:
    """Make an account at a derived address a buffer. With ``program_data`` the address is the canonical one."""
    keys = [(buffer, "w"), (authority, "s"), (program, ""), (program_data, ""), (_SYSTEM, "")]
    return _made(b"\7" + seed16, *keys)


def extend(
    account: Pubkey, authority: Pubkey, length: int, program: Pubkey | None = None, program_data: Pubkey | None = None
) -> Instruction:
    return _made(struct.pack("<BH", 8, length), (account, "w"), (authority, "s"), (program, ""), (program_data, ""))


def extend_by(
    account: Pubkey, authority: Pubkey, length: int, program: Pubkey | None = None, program_data: Pubkey | None = None
) -> Sequence[Instruction]:
    """As many as it takes: each can add ``MAX_GROWTH``."""
    parts = [min(MAX_GROWTH, length - at) for at in range(0, length, MAX_GROWTH)]
    return [extend(account, authority, part, program, program_data) for part in parts]
