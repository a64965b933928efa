"""What is known of each chain: one table, ``data.toml``, every group of facts with its source and date."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Literal

__all__ = ["ChainFacts", "Explorers", "FeeModel", "Source", "chain_facts", "known_chains"]

FeeModel = Literal["eip1559", "legacy", "op-stack", "arbitrum", "scroll", "solana"]
Finality = Literal["finalized", "safe", "latest"] | int


@dataclass(frozen=True)
class Source:
    """Where a group of facts was read, and when (ISO date)."""

    source: str
    date: str


@dataclass(frozen=True)
class Explorers:
    """Where sources are published and people look. ``etherscan``: its V2 API serves this chain id."""

    browser_url: str | None = None
    etherscan: bool = False
    blockscout_api_url: str | None = None
    sourcify: bool = False


@dataclass(frozen=True)
class ChainFacts:
    """One chain. ``chain_id`` is the EIP-155 id, ``genesis`` the hash of block 0 (hex) or Solana's (base58).

    ``genesis`` of ``None`` means that it is not known for certain; ``genesis_note`` says why. ``transaction_gas_cap`` is the
    most gas one transaction may ask for where the protocol says so (EIP-7825), ``None`` where it is not known to.
    """

    name: str
    title: str
    kind: Literal["evm", "solana"]
    testnet: bool
    local: bool
    chain_id: int | None
    genesis: str | None
    genesis_note: str | None
    currency: str
    decimals: int
    block_time_ms: int
    finality: Finality
    fee_model: FeeModel
    rpc_url: str | None
    explorers: Explorers
    sources: Mapping[str, Source]
    transaction_gas_cap: int | None = None


def known_chains() -> tuple[str, ...]:
    """The names of all chains in the table."""
    return tuple(_table())


def chain_facts(name: str) -> ChainFacts:
    """The facts of the chain called ``name``. Raises ``KeyError``."""
    return _table()[name]


@functools.cache
def _table() -> Mapping[str, ChainFacts]:
    text = files("chains").joinpath("data.toml").read_text(encoding="utf-8")
    return {name: _facts(name, groups) for name, groups in tomllib.loads(text).items()}


def _facts(name: str, groups: Mapping[str, Any]) -> ChainFacts:
    identity, currency, blocks = groups["identity"], groups["currency"], groups["blocks"]
    explorers = groups.get("explorers", {})
    return ChainFacts(
        name=name,
        title=groups["title"],
        kind=groups["kind"],
        testnet=groups.get("testnet", False),
        local=groups.get("local", False),
        chain_id=identity.get("id"),
        genesis=identity.get("genesis"),
        genesis_note=identity.get("note"),
        currency=currency["symbol"],
        decimals=currency["decimals"],
        block_time_ms=blocks["time-ms"],
        finality=blocks["finality"],
        fee_model=groups["fees"]["model"],
        rpc_url=groups.get("rpc", {}).get("url"),
        explorers=Explorers(
            explorers.get("browser"),
            explorers.get("etherscan", False),
            explorers.get("blockscout"),
            explorers.get("sourcify", False),
        ),
        sources={
            group: Source(facts["source"], facts["date"])
            for group, facts in groups.items()
            if isinstance(facts, Mapping)
        },
        transaction_gas_cap=groups.get("gas", {}).get("transaction-cap"),
    )
