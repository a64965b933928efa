"""What the upgradeable loader keeps in its accounts, read strictly.

    Buffer       u32 1, option<authority>, then the bytes from 37 on
    Program      u32 2, address of its ProgramData: 36 bytes
    ProgramData  u32 3, u64 slot of the last deployment, option<authority>, then the bytes from 45 on

Source: solana-loader-v3-interface, ``UpgradeableLoaderState`` (bincode; the authority's 32 bytes keep their place when it is none).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from hashlib import sha256

from solders.pubkey import Pubkey

from chains.errors import NeedsPerson

__all__ = [
    "BUFFER_HEAD",
    "LOADER",
    "PROGRAM_BYTES",
    "PROGRAM_DATA_HEAD",
    "Account",
    "Buffer",
    "Program",
    "ProgramData",
    "UnreadableAccount",
    "buffer_address",
    "elf_sha256",
    "parse_buffer",
    "parse_program",
    "parse_program_data",
    "program_data_address",
    "whole_elf",
]

LOADER = Pubkey.from_string("BPFLoaderUpgradeab1e11111111111111111111111")
BUFFER_HEAD = 37
PROGRAM_BYTES = 36
PROGRAM_DATA_HEAD = 45
_BUFFER, _PROGRAM, _PROGRAM_DATA = 1, 2, 3


class UnreadableAccount(NeedsPerson):
    """SHIP-Q01: an account is not what the upgradeable loader keeps at its address."""

    code = "SHIP-Q01"


@dataclass(frozen=True)
class Account:
    """An account as read: ``owner`` in base58, ``slot`` the one at which it was seen."""

    lamports: int
    owner: str
    data: bytes
    executable: bool
    slot: int


@dataclass(frozen=True)
class Buffer:
    """A buffer; nobody can write to one without ``authority``."""

    authority: Pubkey | None
    elf: bytes


@dataclass(frozen=True)
class Program:
    """A program's own account."""

    program_data: Pubkey


@dataclass(frozen=True)
class ProgramData:
    """What a program runs: ``elf`` with the zeros that follow it; immutable where ``authority`` is ``None``."""

    slot: int
    authority: Pubkey | None
    elf: bytes

    @property
    def capacity(self) -> int:
        return len(self.elf)

    def holds(self, elf: bytes) -> bool:
        """Whether ``elf``, and nothing but zeros after it, is what runs."""
        return self.elf[: len(elf)] == elf and not any(self.elf[len(elf) :])


def whole_elf(held: bytes) -> bytes:
    """The ELF at the beginning of ``held``, without the room behind it: up to the last byte that is not zero, and to the end of its
    section table, which may end in zeros (ELF-64, little-endian: e_shoff at 40, e_shentsize and e_shnum at 58)."""
    table = int.from_bytes(held[40:48], "little")
    end = table + int.from_bytes(held[58:60], "little") * int.from_bytes(held[60:62], "little")
    return held[: max(len(held.rstrip(b"\0")), end if end <= len(held) else 0)]


def elf_sha256(elf: bytes) -> str:
    """The hash of verified builds: without the zeros at the end, which say only how much room there is."""
    return sha256(elf.rstrip(b"\0")).hexdigest()


def program_data_address(program: Pubkey) -> Pubkey:
    return Pubkey.find_program_address([bytes(program)], LOADER)[0]


def buffer_address(payer: Pubkey, seed: str) -> Pubkey:
    """Where the buffer of this payer and seed lies (``SystemInstruction::CreateAccountWithSeed``)."""
    return Pubkey.create_with_seed(payer, seed, LOADER)


def _body(account: Account, kind: int, head: int, what: str) -> bytes:
    if account.owner != str(LOADER) or len(account.data) < head or account.data[:4] != struct.pack("<I", kind):
        raise UnreadableAccount(
            f"an account that should be a {what} of the upgradeable loader is not one (owner {account.owner}, "
            f"{len(account.data)} bytes)",
            remedy="Look at the address in an explorer; another loader's programs cannot be upgraded by ship.",
        )
    return account.data


def _authority(data: bytes, at: int, what: str) -> Pubkey | None:
    if data[at] == 0:
        return None
    if data[at] != 1:
        raise UnreadableAccount(f"a {what} holds an option that is neither none nor some", remedy="Ask another node.")
    return Pubkey.from_bytes(data[at + 1 : at + 33])


def parse_buffer(account: Account) -> Buffer:
    """Raises ``UnreadableAccount``."""
    data = _body(account, _BUFFER, BUFFER_HEAD, "buffer")
    return Buffer(_authority(data, 4, "buffer"), data[BUFFER_HEAD:])


def parse_program(account: Account) -> Program:
    """Raises ``UnreadableAccount``."""
    data = _body(account, _PROGRAM, PROGRAM_BYTES, "program")
    return Program(Pubkey.from_bytes(data[4:36]))


def parse_program_data(account: Account) -> ProgramData:
    """Raises ``UnreadableAccount``."""
    data = _body(account, _PROGRAM_DATA, PROGRAM_DATA_HEAD, "ProgramData")
    return ProgramData(
        struct.unpack_from("<Q", data, 4)[0], _authority(data, 12, "ProgramData"), data[PROGRAM_DATA_HEAD:]
    )
