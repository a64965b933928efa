"""What the Program Metadata program keeps in its accounts, read strictly, and where they lie.

    Metadata  u8 2, program, authority (zeros: none), u8 mutable, u8 canonical, seed16, u8 encoding, u8 compression, u8 format,
              u8 source, u32 length of the data, 5 zeros: 96 bytes, then the data
    Buffer    u8 1, program, authority, u8 canonical, seed16, 14 zeros: 96 bytes, then the data

Source: solana-program/program-metadata, the accounts of its IDL.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

from solders.pubkey import Pubkey

from chains.errors import NeedsPerson, Refused
from chains.solana.layouts import Account

__all__ = [
    "HEAD",
    "PROGRAM",
    "Buffer",
    "Form",
    "Metadata",
    "MetadataUnreadable",
    "Seed",
    "SeedRefused",
    "buffer_seed",
    "canonical_address",
    "parse_buffer",
    "parse_metadata",
    "seed_bytes",
    "third_party_address",
]

PROGRAM = Pubkey.from_string("ProgM6JCCvbYkfKqJYHePx4xxSUSqJp7rh8Lyv7nk7S")
HEAD = 96
_BUFFER, _METADATA = 1, 2
_SEED_BYTES = 16

Seed = Literal["idl", "security"]
"""What ship publishes: the IDL, and who to tell of a vulnerability (security.txt as JSON). Others are the program's users' own."""


class MetadataUnreadable(NeedsPerson):
    """SHIP-Q60: an account is not what the Program Metadata program keeps at its address, or its data cannot be unpacked."""

    code = "SHIP-Q60"


class SeedRefused(Refused):
    """SHIP-Q61: the name of a metadata account is empty or longer than sixteen bytes."""

    code = "SHIP-Q61"


@dataclass(frozen=True)
class Form:
    """How data is kept. Encoding: 0 none, 1 utf8, 2 base58, 3 base64. Compression: 0 none, 1 gzip, 2 zlib. Format: 0 none,
    1 JSON, 2 YAML, 3 TOML. Source: 0 in this account, 1 at a URL, 2 in another account."""

    encoding: int = 1
    compression: int = 2
    format: int = 1
    source: int = 0

    @property
    def bytes(self) -> bytes:
        return bytes((self.encoding, self.compression, self.format, self.source))


@dataclass(frozen=True)
class Metadata:
    """``authority``: a key that may write beside the program's upgrade authority, ``None`` for nobody."""

    program: Pubkey
    authority: Pubkey | None
    mutable: bool
    canonical: bool
    seed: bytes
    form: Form
    data: bytes


@dataclass(frozen=True)
class Buffer:
    """Bytes on their way into a metadata account."""

    program: Pubkey | None
    authority: Pubkey | None
    canonical: bool
    seed: bytes
    data: bytes


def seed_bytes(seed: str) -> bytes:
    """Raises ``SeedRefused``."""
    body = seed.encode()
    if not 0 < len(body) <= _SEED_BYTES:
        raise SeedRefused(f"{seed!r} cannot name a metadata account", remedy="Take one to sixteen bytes of UTF-8.")
    return body.ljust(_SEED_BYTES, b"\0")


def buffer_seed(seed: str) -> bytes:
    """The seed of the payer's own account in which data for ``seed`` is gathered. It follows from nothing but the program, the
    payer and the name, so that the next plan finds what an abandoned one left, and no rent is lost."""
    return sha256(b"ship metadata buffer\0" + seed_bytes(seed)).digest()[:_SEED_BYTES]


def canonical_address(program: Pubkey, seed: str) -> Pubkey:
    """The one account of this name that only the program's upgrade authority could create."""
    return Pubkey.find_program_address([bytes(program), seed_bytes(seed)], PROGRAM)[0]


def third_party_address(program: Pubkey, authority: Pubkey, seed16: bytes) -> Pubkey:
    """One that anybody can create about a program. ship uses it as a buffer only."""
    return Pubkey.find_program_address([bytes(program), bytes(authority), seed16], PROGRAM)[0]


def parse_metadata(account: Account) -> Metadata:
    """Raises ``MetadataUnreadable``."""
    data = _body(account, _METADATA, "metadata account")
    (length,) = struct.unpack_from("<I", data, 87)
    if max(data[65], data[66]) > 1 or data[83] > 3 or max(data[84], data[86]) > 2 or data[85] > 3:
        raise _unreadable("a metadata account holds a flag or form that is not known")
    if any(data[91:HEAD]) or length > len(data) - HEAD:
        raise _unreadable(f"a metadata account of {len(data)} bytes says that it holds {length}")
    return Metadata(
        Pubkey.from_bytes(data[1:33]),
        _option(data[33:65]),
        bool(data[65]),
        bool(data[66]),
        data[67:83],
        Form(*data[83:87]),
        data[HEAD : HEAD + length],
    )


def parse_buffer(account: Account) -> Buffer:
    """Raises ``MetadataUnreadable``."""
    data = _body(account, _BUFFER, "buffer")
    if data[65] > 1 or any(data[82:HEAD]):
        raise _unreadable("a metadata buffer holds something where nothing belongs")
    return Buffer(_option(data[1:33]), _option(data[33:65]), bool(data[65]), data[66:82], data[HEAD:])


def _option(key: bytes) -> Pubkey | None:
    return Pubkey.from_bytes(key) if any(key) else None


def _body(account: Account, kind: int, what: str) -> bytes:
    if account.owner != str(PROGRAM) or len(account.data) < HEAD or account.data[0] != kind:
        raise _unreadable(
            f"an account that should be a {what} of the Program Metadata program is not one (owner {account.owner}, "
            f"{len(account.data)} bytes)"
        )
    return account.data


def _unreadable(cause: str) -> MetadataUnreadable:
    return MetadataUnreadable(cause, remedy="Look at the address in an explorer, and ask another node.")
