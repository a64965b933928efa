"""Where people look at an address of a record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chains.chain_data import ChainFacts, chain_facts

__all__ = ["address_url", "chain_of"]

_CLUSTERS = {"solana-devnet": "?cluster=devnet"}


def chain_of(record: Mapping[str, Any]) -> ChainFacts | None:
    """What is known of the record's chain; nothing of a chain of the user's own."""
    try:
        return chain_facts(record["chain"]["name"])
    except KeyError:
        return None


def address_url(record: Mapping[str, Any], address: str) -> str | None:
    """The explorer's page of ``address``, where the chain has an explorer."""
    facts = chain_of(record)
    if facts is None or facts.explorers.browser_url is None:
        return None
    return f"{facts.explorers.browser_url}/address/{address}{_CLUSTERS.get(facts.name, '')}"
