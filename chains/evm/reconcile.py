"""What to do about one transaction, given what the journal knows and what the chain was just seen to hold.

A pure function, so that every fault of the catalogue can be played through it. The order of the questions is that of
design §6, "resume at SIGNED"; each answer is safe whatever the node lied about before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from chains.evm.l1_fee import operator_fee_wei
from chains.evm.lifecycle import Mined, TxState
from chains.evm.node import Head, block_hash, quantity

__all__ = ["Decision", "Receipt", "Seen", "reconcile"]

Verdict = Literal["wait", "sign", "send", "replace", "mined", "reverted", "reorged", "finalize", "ask_foreign"]


@dataclass(frozen=True)
class Decision:
    """The next step for a transaction; ``mined`` comes with ``mined`` and ``reverted``."""

    verdict: Verdict
    why: str
    mined: Mined | None = None


@dataclass(frozen=True)
class Receipt:
    """A receipt as far as it decides anything."""

    mined: Mined
    succeeded: bool

    @classmethod
    def from_rpc(cls, wanted: str, answer: Any) -> Receipt | None:
        """The receipt of the transaction ``wanted``, or ``None`` for anything that is not one of a mined transaction."""
        try:
            if answer["transactionHash"].lower() != wanted.lower():
                return None
            status = quantity(answer["status"])
            mined = Mined(
                wanted,
                quantity(answer["blockNumber"]),
                block_hash(answer["blockHash"]),
                quantity(answer["gasUsed"]),
                quantity(answer.get("effectiveGasPrice") or "0x0"),
                quantity(answer.get("l1Fee") or "0x0"),
                operator_fee_wei(answer),
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            return None
        return cls(mined, status == 1) if status in {0, 1} else None


@dataclass(frozen=True)
class Seen:
    """One look at the chain. Heads are block numbers; ``final_number`` is the highest final block.

    ``receipts`` maps transaction hashes to receipts (absent: none was given), ``pooled`` holds hashes a node knows as
    pending, ``canonical`` maps block numbers to the hash of the canonical block where the node has one. ``provider`` is
    who said what is canonical, ``head`` the newest block's header.
    """

    nonce: int
    head_number: int
    final_number: int
    receipts: Mapping[str, Receipt]
    pooled: frozenset[str]
    canonical: Mapping[int, str]
    provider: str = ""
    head: Head | None = None


def reconcile(
    state: TxState,
    seen: Seen,
    *,
    sent_before_s: float | None,
    offered_before_s: float | None,
    resend_after_s: float,
    stuck_after_s: float,
) -> Decision:
    """Decide. This process handed the newest attempt to a node for the first time ``offered_before_s`` ago, and for the
    last time ``sent_before_s`` ago (``None``: never).
    """
    if state.stage in {"planned", "reserved"}:
        return Decision("sign", "nothing was sent yet")
    found = next((seen.receipts[a.hash] for a in reversed(state.attempts) if a.hash in seen.receipts), None)
    if state.stage == "mined":
        return _mined(state, seen, found)
    if found is not None:
        if not _canonical(seen, found.mined):
            return Decision("wait", "the receipt's block is not seen as canonical")
        return Decision("mined" if found.succeeded else "reverted", "a receipt is there", found.mined)
    assert state.nonce is not None
    if seen.nonce > state.nonce:
        return Decision("ask_foreign", "the nonce is used, but no receipt of ours is there")
    newest = state.attempts[-1].hash
    if sent_before_s is None or offered_before_s is None:
        return Decision("send", "not handed to a node in this run")
    if seen.nonce == state.nonce and offered_before_s >= stuck_after_s:
        return Decision("replace", "pending too long")
    if newest not in seen.pooled and sent_before_s >= resend_after_s:
        return Decision("send", "no node knows it")
    return Decision("wait", "pending")


def _canonical(seen: Seen, mined: Mined) -> bool:
    return seen.canonical.get(mined.block_number) == mined.block_hash


def _mined(state: TxState, seen: Seen, found: Receipt | None) -> Decision:
    assert state.mined is not None
    if found is None:
        # A node that lags or forgot gives no receipt either: only another block in its place shows a reorg.
        if seen.canonical.get(state.mined.block_number, state.mined.block_hash) == state.mined.block_hash:
            return Decision("wait", "the receipt is not shown, its block was not replaced")
        return Decision("reorged", "another block took the place of its block")
    if not _canonical(seen, found.mined):
        return Decision("wait", "its block is not seen as canonical")
    if not found.succeeded:
        return Decision("reverted", "mined again, with a failure", found.mined)
    if found.mined.block_hash != state.mined.block_hash:
        return Decision("mined", "mined in another block", found.mined)
    if found.mined.block_number > seen.final_number:
        return Decision("wait", "waiting for finality")
    return Decision("finalize", "in a final, canonical block", found.mined)
