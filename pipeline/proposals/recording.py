"""Executed proposals as the release record tells of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chains.base import Row
from chains.evm.actions import EvmPlan

__all__ = ["executed_proposals", "of_plan", "transactions_by_others"]

_KEYS = (
    "plan", "proposal", "actions", "safe", "safe_tx_hash", "safe_nonce", "executed_by", "hash", "block_number",
    "block_hash", "gas_used", "gas_price_wei",
)  # fmt: skip


def executed_proposals(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Every proposal that was executed, with the owners whose signatures of it the journal holds."""
    signed: dict[str, set[str]] = {}
    for row in rows:
        if row.kind == "proposal.signed":
            signed.setdefault(row.data["safe_tx_hash"], set()).add(row.data["owner"])
    return [
        {**{key: row.data[key] for key in _KEYS}, "signed_by": sorted(signed.get(row.data["safe_tx_hash"], ()))}
        for row in rows
        if row.kind == "proposal.executed"
    ]


def of_plan(proposals: Sequence[Mapping[str, Any]], plan: str) -> list[Mapping[str, Any]]:
    return [proposal for proposal in proposals if proposal["plan"] == plan]


def transactions_by_others(
    unit: str, proposals: Sequence[Mapping[str, Any]], bodies: Mapping[str, EvmPlan]
) -> list[str]:
    """Hashes of the transactions in which a Safe did something to ``unit``, whoever sent them."""
    return [
        proposal["hash"]
        for proposal in proposals
        if any(a.unit == unit and a.id in proposal["actions"] for a in bodies[proposal["plan"]].actions)
    ]
