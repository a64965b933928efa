"""The shape of what a project has on Solana: programs, instructions by IDL, reads of accounts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from pipeline.manifest.fields import Argument, Name, Names, RelativePath, Spec, Url

__all__ = [
    "BASE58",
    "Base58",
    "ProgramCallSpec",
    "ProgramCheckSpec",
    "ProgramSpec",
    "SolanaSpec",
    "VerifiedBuildSpec",
    "of_program",
]

BASE58 = r"^[1-9A-HJ-NP-Za-km-z]{32,44}$"
Base58 = Annotated[str, Field(pattern=BASE58)]
Identifier = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}$")]
"""A name in an IDL."""


class SolanaSpec(Spec):
    """``[solana]``: where the Anchor workspace lies, and how it is built."""

    root: RelativePath = Field(default=".", description="The folder of Anchor.toml.")
    build: Literal["auto", "anchor", "anchor-verifiable", "cargo-build-sbf", "prebuilt"] = Field(
        default="auto",
        description="How programs are built. auto: with anchor, else cargo-build-sbf, where the sources are Rust and the "
        "tool is on PATH; else target/deploy is taken as it is.",
    )


class VerifiedBuildSpec(Spec):
    """``verified-build``: where anybody can build the program again, recorded on chain by the signer."""

    repository: Url = Field(description="The URL of the git repository.")
    args: tuple[str, ...] = Field(
        default=(),
        max_length=50,
        description='Arguments of solana-verify beside repository and commit, as ["--library-name", "counter"].',
    )


class ProgramSpec(Spec):
    """``[programs.NAME]``: an Anchor program."""

    program_id: Base58 | None = Field(
        default=None,
        description="The program's address, base58. Left out, it is the one that IDL, Anchor.toml and declare_id! agree on.",
    )
    artifact: RelativePath | None = Field(
        default=None, description="The built program, below [solana] root (target/deploy/NAME.so)."
    )
    idl_file: RelativePath | None = Field(
        default=None, description="Its IDL, below [solana] root (target/idl/NAME.json)."
    )
    keypair: RelativePath | None = Field(
        default=None,
        description="The program's own key, needed for its first deployment alone (target/deploy/NAME-keypair.json).",
    )
    sha256: str | None = Field(
        default=None,
        pattern=r"^[0-9a-f]{64}$",
        description="What the built program's bytes must come to; anything else is refused.",
    )
    extend: bool = Field(
        default=True, description="Whether its account may grow when the program does; rent is paid for it."
    )
    room: int = Field(
        default=0,
        ge=0,
        le=10_485_715,
        description="Bytes a first deployment leaves room for, where more than it takes.",
    )
    warm_rollback: bool = Field(
        default=False,
        description="Keep the bytes that an upgrade replaces ready in a buffer: going back is then one transaction, and the "
        "buffer's rent stays there until it is closed.",
    )
    idl: bool = Field(default=True, description="Publish the IDL with the program.")
    security: RelativePath | None = Field(
        default=None, description="A security.txt as JSON, published with the program."
    )
    verified_build: VerifiedBuildSpec | None = Field(
        default=None, description="Record on chain from which repository and commit the program is built."
    )
    after: Names = Field(default=(), description="Units that must be on chain before this program.")


class ProgramUnlessSpec(Spec):
    """An account that makes an instruction unnecessary: that it is there, or what one of its fields says."""

    account: str = Field(min_length=1, max_length=1_000, description="Its address, or pda:PROGRAM/seed,seed.")
    type: Identifier | None = Field(default=None, description="Its type in the IDL.")
    field: Identifier | None = Field(default=None, description="The field read.")
    equals: Argument | None = Field(default=None, description="The value that makes the instruction unnecessary.")


class ProgramCallSpec(Spec):
    """``[calls.NAME]`` with ``program``: an instruction, sent once."""

    program: Name = Field(description="The program of [programs] it is sent to.")
    instruction: Identifier = Field(description="Its name in the IDL.")
    args: Mapping[Identifier, Argument] = Field(default_factory=dict, description="The arguments by name.")
    accounts: Mapping[Identifier, str] = Field(
        default_factory=dict,
        description="The accounts by name: addresses, or pda:PROGRAM/seed,seed. Those that follow from the IDL, and the "
        "signer, may be left out.",
    )
    unless: ProgramUnlessSpec | None = Field(default=None, description="An account that makes it unnecessary.")
    after: Names = Field(default=(), description="Units that must be on chain before it.")


class ProgramCheckSpec(Spec):
    """``[checks.NAME]`` with ``program``: a field of an account, read after deploying."""

    program: Name = Field(description="The program of [programs] whose IDL reads the account.")
    account: str = Field(min_length=1, max_length=1_000, description="Its address, or pda:PROGRAM/seed,seed.")
    type: Identifier = Field(description="Its type in the IDL.")
    field: Identifier = Field(description="The field read.")
    equals: Argument = Field(description="The value expected.")


def of_program(value: Any) -> str:
    """Which of the two forms a ``[calls]`` or ``[checks]`` table has."""
    keys = value if isinstance(value, Mapping) else vars(value) if value is not None else {}
    return "program" if "program" in keys else "contract"
