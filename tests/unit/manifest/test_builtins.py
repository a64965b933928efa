"""The built-in manifests and the table of chains behind them."""

from __future__ import annotations

import re

import pytest

from chains.chain_data import chain_facts, known_chains
from pipeline.manifest.builtins import builtin_document, builtin_names
from pipeline.manifest.chain_choice import chosen_chain
from pipeline.manifest.target_spec import TargetSpec
from pipeline.manifest.urls import forbidden_host, parse_url
from pipeline.manifest.validation import validated

CHAINS = {
    "local": 31337,
    "ethereum": 1,
    "sepolia": 11155111,
    "base": 8453,
    "base-sepolia": 84532,
    "optimism": 10,
    "op-sepolia": 11155420,
    "arbitrum": 42161,
    "arbitrum-sepolia": 421614,
    "polygon": 137,
    "bsc": 56,
    "avalanche": 43114,
    "gnosis": 100,
    "linea": 59144,
    "scroll": 534352,
    "solana": None,
    "solana-devnet": None,
    "solana-local": None,
}


def test_there_is_a_manifest_for_every_chain_and_a_chain_for_every_manifest() -> None:
    assert set(builtin_names()) == set(known_chains()) == set(CHAINS)


@pytest.mark.parametrize("name", CHAINS)
def test_a_built_in_manifest_is_valid_and_names_its_chain(name: str) -> None:
    document = builtin_document(name)
    assert document is not None
    spec = validated(TargetSpec, document.data, document.where)
    chain = chosen_chain(spec, document.where)
    assert chain.name == name
    assert chain.chain_id == CHAINS[name]


@pytest.mark.parametrize("name", CHAINS)
def test_every_fact_has_a_source_and_a_date(name: str) -> None:
    facts = chain_facts(name)
    assert {"identity", "currency", "blocks", "fees"} <= set(facts.sources)
    for source in facts.sources.values():
        assert source.source
        assert re.fullmatch(r"\d{4}-\d{2}-\d{2}", source.date)
    assert facts.genesis or facts.genesis_note, "unknown only with a reason"
    if facts.kind == "evm" and facts.genesis:
        assert re.fullmatch(r"0x[0-9a-f]{64}", facts.genesis)
    for url in (facts.rpc_url, facts.explorers.browser_url, facts.explorers.blockscout_api_url):
        if url:
            assert parse_url(url).scheme == "https"
            assert forbidden_host(url) is None


def test_no_two_chains_have_one_genesis() -> None:
    hashes = [chain_facts(name).genesis for name in known_chains() if chain_facts(name).genesis]
    assert len(set(hashes)) == len(hashes)
