"""Environments from lowest to highest, and on which of them a target stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chains.chain_data import ChainFacts, known_chains
from pipeline.manifest.promote_spec import PromoteSpec

__all__ = ["rung_of", "skipped"]


def rung_of(spec: PromoteSpec, target: str, chain: ChainFacts | None) -> str | None:
    """By ``[promote] rungs``, else by what is known of the chain; ``None`` where nothing is."""
    named = next((rung for rung, targets in spec.rungs.items() if target in targets), None)
    if named is not None or chain is None or chain.name not in known_chains():
        return named
    return "local" if chain.local else "testnet" if chain.testnet else "mainnet"


def skipped(
    ladder: Sequence[str], destinations: Mapping[str, str | None], proven: Mapping[str, str | None]
) -> list[tuple[str, str]]:
    """Reasons: destinations that stand on no rung, and rungs below them where nothing is proven.

    ``destinations`` and ``proven`` are rungs by target: where the candidate is to go, and where it is, by records and chain.
    """
    if not ladder:
        return []
    reasons = []
    there = set(proven.values())
    for target, rung in destinations.items():
        if rung not in ladder:
            shown = f"is {rung}, which" if rung else "is of no known kind, and"
            reasons.append(
                (f"{target} {shown} is not on the ladder {' → '.join(ladder)}", "Place it under [promote.rungs].")
            )
            continue
        reasons += [
            (
                f"{target} is {rung}, and the candidate is proven on no {below} target",
                f"Release the candidate to a {below} target first.",
            )
            for below in ladder[: ladder.index(rung)]
            if below not in there
        ]
    return list(dict.fromkeys(reasons))
