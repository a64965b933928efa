"""The plan was made for the chain the target names and the endpoints serve: its id and its genesis."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.signing.rules.base import Request

__all__ = ["SameChain"]


@dataclass(frozen=True)
class SameChain:
    """``planned`` is the plan's chain; ``genesis_hash`` what the endpoints gave, ``pinned`` what the target states."""

    planned: Mapping[str, Any]
    chain_id: int
    genesis_hash: str
    pinned: str | None
    name: str = "chain"

    def problem(self, request: Request) -> str | None:
        if self.planned["id"] != self.chain_id:
            return f"the plan is for chain {self.planned['id']}, the target for {self.chain_id}"
        if request.unsigned is not None and request.unsigned.chain_id != self.chain_id:
            return f"it is for chain {request.unsigned.chain_id}, the target for {self.chain_id}"
        for genesis in (self.genesis_hash, self.pinned):
            if genesis is not None and self.planned["genesis_hash"] != genesis:
                return f"the plan's chain began with {self.planned['genesis_hash']}, the target's with {genesis}"
        return None
