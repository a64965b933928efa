"""Who has to say yes to a call back: what an authority is, asked of the chain."""

from __future__ import annotations

from collections.abc import Collection

from chains.evm.authority import Authorities
from chains.evm.node import Node
from pipeline.rollback.model import Requires

__all__ = ["requires"]


def requires(node: Node, authority: str | None, deployer: str, fresh: Collection[str] = ()) -> Requires:
    """``fresh`` are addresses (lower case) that the release itself brings: of these the chain says nothing yet."""
    if authority is None:
        return Requires(None)
    if authority.lower() in fresh:
        return Requires(authority, "contract")
    if not node.code(authority):
        return Requires(authority, "key")
    authorities = Authorities(node, deployer)
    safe = authorities.safe(authority)
    if safe is not None:
        return Requires(authority, "safe", safe.threshold)
    lock = authorities.timelock(authority)
    if lock is not None:
        return Requires(authority, "timelock", 1, lock.delay_s)
    return Requires(authority, "contract")
