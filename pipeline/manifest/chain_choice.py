"""The chain a target names: facts from the table, completed or replaced by what the manifest says."""

from __future__ import annotations

from dataclasses import replace

from chains.chain_data import ChainFacts, Explorers, chain_facts, known_chains
from pipeline.manifest.errors import MissingKey, UnknownChain, did_you_mean
from pipeline.manifest.target_spec import ChainSpec, TargetSpec
from pipeline.manifest.validation import Locate

__all__ = ["chosen_chain"]


def chosen_chain(spec: TargetSpec, locate: Locate) -> ChainFacts:
    """The facts to work with. A manifest may add to what is known of a chain; its id and genesis must agree."""
    chain = spec.chain
    if chain is None:
        raise MissingKey("The target names no chain.", remedy='Add chain = "base".', where=locate(("chain",)))
    if chain.name not in known_chains():
        return _own_chain(chain, locate)
    known = chain_facts(chain.name)
    for key, said, fact in (("id", chain.id, known.chain_id), ("genesis", chain.genesis, known.genesis)):
        if said is not None and fact is not None and said != fact:
            raise UnknownChain(
                f"{chain.name} has the {key} {fact}; the manifest says {said}.",
                remedy="Correct it, or give a chain of your own another name.",
                where=locate(("chain", key)),
            )
    return replace(
        known,
        chain_id=known.chain_id if known.chain_id is not None else chain.id,
        genesis=known.genesis or chain.genesis,
        currency=chain.currency or known.currency,
        block_time_ms=chain.block_time_ms or known.block_time_ms,
        fee_model=chain.fee_model or known.fee_model,
    )


def _own_chain(chain: ChainSpec, locate: Locate) -> ChainFacts:
    if chain.id is None:
        raise UnknownChain(
            f"{chain.name} is not a chain ship knows.{did_you_mean(chain.name, known_chains())}",
            remedy=f'Known: {", ".join(known_chains())}. For another: chain = {{ name = "{chain.name}", id = … }}.',
            where=locate(("chain",)),
        )
    return ChainFacts(
        name=chain.name,
        title=chain.name,
        kind="evm",
        testnet=False,
        local=False,
        chain_id=chain.id,
        genesis=chain.genesis,
        genesis_note=None if chain.genesis else "the manifest gives none",
        currency=chain.currency or "ETH",
        decimals=18,
        block_time_ms=chain.block_time_ms or 12_000,
        finality="finalized",
        fee_model=chain.fee_model or "eip1559",
        rpc_url=None,
        explorers=Explorers(sourcify=True),
        sources={},
    )
