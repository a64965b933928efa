"""What the plan of a release to Solana is made from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from chains.solana.fees import price_from
from chains.solana.live import LiveProgram
from chains.solana.rpc import Cluster
from chains.solana.settings import Settings
from chains.solana.squads.releasing import SquadsAuthority
from chains.solana.verified.layout import Build

__all__ = ["Drafting", "ProgramFiles", "Replaced", "price_of"]


@dataclass(frozen=True)
class ProgramFiles:
    """A program as the bundle holds it."""

    elf: bytes
    idl: Mapping[str, Any] | None = None
    idl_bytes: bytes | None = None
    security: bytes | None = None
    build: Build | None = None


@dataclass(frozen=True)
class Replaced:
    """Bytes that an upgrade takes out of use, by their hash."""

    sha256: str
    elf: bytes


@dataclass
class Drafting:
    """What a plan is made from. ``keep`` is given the bytes an upgrade replaces, to be kept for the way back."""

    cluster: Cluster
    files: Callable[[str], ProgramFiles]
    live: Mapping[str, LiveProgram]
    done: Mapping[str, str]
    """Calls that are final, by unit: the digest of their instruction."""
    deployer: str
    payer: str
    settings: Settings
    chain: Mapping[str, Any]
    max_lamports: int | None = None
    keep: Callable[[Replaced], None] = lambda _: None
    seconds: int = 0
    price: int | None = None
    ids: dict[str, str] = field(default_factory=dict)
    changed: set[str] = field(default_factory=set)
    squads: SquadsAuthority | None = None
    local: bool = False
    """A local cluster may lack the programs that publications go through; what is left out stands in ``left_out``."""
    left_out: list[str] = field(default_factory=list)


def price_of(draft: Drafting) -> int:
    """Micro-lamports for a compute unit at the prices of now, asked once a plan."""
    if draft.price is None:
        recent = draft.cluster.recent_fees([draft.payer])
        draft.price = price_from(recent, draft.settings.price_percentile, draft.settings.price_cap_micro_lamports)
    return draft.price
