"""The otter-verify program's accounts and instructions: which repository and commit a program was built from, by whose word.

    BuildParams  8 bytes (sha256 "account:BuildParams"), program, signer, then borsh: version, git_url, commit, args, u64 slot; u8 bump

Source: otter-sec/otter-verify (programs/otter-verify), Ellipsis-Labs/solana-verifiable-build (the borsh of its InputParams).
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from chains.errors import NeedsPerson, Refused
from chains.solana.borsh import BorshRefused, Reader, encode
from chains.solana.layouts import Account, elf_sha256

__all__ = [
    "PROGRAM",
    "Build",
    "BuildRefused",
    "BuildUnreadable",
    "RecordedBuild",
    "build_hash",
    "initialize",
    "parse_record",
    "record_address",
    "record_space",
    "update",
]

PROGRAM = Pubkey.from_string("verifycLy8mB96wd9wqq3WDXQwM4oU6r42Th37Db9fC")
_HEAD = 72
_SYSTEM = Pubkey.default()
_FIELDS = (
    ("version", "string"),
    ("git_url", "string"),
    ("commit", "string"),
    ("args", {"vec": "string"}),
    ("slot", "u64"),
)
_MOST_BYTES = 700

build_hash = elf_sha256
"""What a verified build is known by: sha256 of the ELF without the zeros at its end. ProgramData holds it from byte 45, a buffer
from byte 37."""


def _tag(name: str) -> bytes:
    return sha256(name.encode()).digest()[:8]


class BuildUnreadable(NeedsPerson):
    """SHIP-Q67: an account is not the record of a build that its address says it is."""

    code = "SHIP-Q67"


class BuildRefused(Refused):
    """SHIP-Q68: what a program was built from cannot be recorded: no public repository, no whole commit, or too many arguments."""

    code = "SHIP-Q68"


@dataclass(frozen=True)
class Build:
    """How to build it again: ``args`` are those of `solana-verify verify-from-repo`, ``version`` that tool's.

    Raises ``BuildRefused``.
    """

    git_url: str
    commit: str
    args: tuple[str, ...] = ()
    version: str = "0.4.0"

    def __post_init__(self) -> None:
        whole = len(self.commit) == 40 and set(self.commit) <= set("0123456789abcdef")
        if not whole or not self.git_url.startswith("https://") or not self.git_url.isprintable():
            raise BuildRefused(
                f"{self.git_url!r} at {self.commit!r} is not a public repository at a whole commit",
                remedy="Give an https:// URL without credentials, and the commit's forty hex digits.",
            )
        if "@" in self.git_url.removeprefix("https://").partition("/")[0]:
            raise BuildRefused(
                "the repository's URL holds credentials", remedy="They would be public for ever. Take them out."
            )
        if len(self.borsh(0)) > _MOST_BYTES:
            raise BuildRefused("the build's arguments do not fit a transaction", remedy="Shorten them.")

    def borsh(self, slot: int) -> bytes:
        values: dict[str, Any] = {**self.__dict__, "args": list(self.args), "slot": slot}
        return b"".join(encode(kind, values[name], {}) for name, kind in _FIELDS)


@dataclass(frozen=True)
class RecordedBuild:
    """``slot``: the deployment it speaks of. ``fields`` are those of ``Build``, by whoever wrote them."""

    program: Pubkey
    signer: Pubkey
    fields: tuple[str, str, tuple[str, ...], str]
    slot: int

    def says(self, build: Build) -> bool:
        return self.fields == (build.git_url, build.commit, build.args, build.version)


def record_address(program: Pubkey, signer: Pubkey) -> Pubkey:
    """One for each who speaks of a program; services believe the upgrade authority's."""
    return Pubkey.find_program_address([b"otter_verify", bytes(signer), bytes(program)], PROGRAM)[0]


def record_space(build: Build) -> int:
    return _HEAD + len(build.borsh(0)) + 1


def parse_record(account: Account) -> RecordedBuild:
    """Raises ``BuildUnreadable``."""
    unreadable = BuildUnreadable(
        f"an account that should be a build's record is not one (owner {account.owner}, {len(account.data)} bytes)",
        remedy="Look at the address in an explorer, and ask another node.",
    )
    if account.owner != str(PROGRAM) or account.data[:8] != _tag("account:BuildParams"):
        raise unreadable
    reader = Reader(account.data, {}, 8)
    try:
        program, signer = (Pubkey.from_bytes(reader.take(32)) for _ in range(2))
        read = {name: reader.read(kind) for name, kind in _FIELDS}
        reader.take(1)
    except BorshRefused as error:
        raise unreadable from error
    if any(account.data[reader.at :]):
        raise unreadable
    fields = (read["git_url"], read["commit"], tuple(read["args"]), read["version"])
    return RecordedBuild(program, signer, fields, read["slot"])


def _made(name: str, program: Pubkey, signer: Pubkey, build: Build, slot: int) -> Instruction:
    metas = [
        AccountMeta(record_address(program, signer), is_signer=False, is_writable=True),
        AccountMeta(signer, is_signer=True, is_writable=True),
        AccountMeta(program, is_signer=False, is_writable=False),
        AccountMeta(_SYSTEM, is_signer=False, is_writable=False),
    ]
    return Instruction(PROGRAM, _tag(f"global:{name}") + build.borsh(slot), metas)


def initialize(program: Pubkey, signer: Pubkey, build: Build, slot: int) -> Instruction:
    return _made("initialize", program, signer, build, slot)


def update(program: Pubkey, signer: Pubkey, build: Build, slot: int) -> Instruction:
    return _made("update", program, signer, build, slot)
