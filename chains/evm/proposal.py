"""A proposal as the plan holds it: one Safe transaction that stands for one or more of the plan's actions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chains.evm.safe.typed import SafeTx

__all__ = ["Proposal"]


@dataclass(frozen=True)
class Proposal:
    """``tx.nonce`` and ``hash`` (0x, the safeTxHash) are those at planning: they follow the Safe's nonce if it moves.

    Everything else of ``tx`` is what is approved, and all that is ever signed. ``actions`` are ids of the plan;
    ``owners`` and ``threshold`` are for people, the chain is asked again.
    """

    id: str
    safe: str
    version: str
    tx: SafeTx
    hash: str
    actions: tuple[str, ...]
    owners: tuple[str, ...]
    threshold: int

    def to_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "safe": self.safe,
            "version": self.version,
            "tx": self.tx.to_json(),
            "hash": self.hash,
            "actions": list(self.actions),
            "owners": list(self.owners),
            "threshold": self.threshold,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Proposal:
        return cls(
            id=data["id"],
            safe=data["safe"],
            version=data["version"],
            tx=SafeTx.from_json(data["tx"]),
            hash=data["hash"],
            actions=tuple(data["actions"]),
            owners=tuple(data["owners"]),
            threshold=data["threshold"],
        )
