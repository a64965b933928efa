"""What to do about one transaction, given what the journal knows and what the chain was just seen to hold.

A pure function, so that every fault of the catalogue can be played through it. The order of the questions is that of
design §6, "resume at SIGNED"; each answer is safe whatever the node lied about before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from chains.evm.lifecycle import Mined, TxState

__all__ = ["Decision", "Seen", "reconcile"]

Verdict = Literal["wait", "sign", "send", "replace", "mined", "reverted", "reorged", "finalize", "ask_foreign"]


@dataclass(frozen=True)
class Decision:
    """The next step for a transaction; ``mined`` comes with ``mined`` and ``reverted``."""

    verdict: Verdict
    why: str
    mined: Mined | None = None


@dataclass(frozen=True)
class Seen:
    """One look at the chain. Heads are block numbers; ``final_number`` is the highest final block.

    ``receipts`` maps transaction hashes to receipts (absent: none was given), ``pooled`` holds hashes a node knows as
    pending, ``canonical`` maps block numbers to the hash of the canonical block where it was asked for.
    """

    nonce: int
    head_number: int
    final_number: int
    receipts: Mapping[str, Mapping[str, Any]]
    pooled: frozenset[str]
    canonical: Mapping[int, str]


def reconcile(
    state: TxState, seen: Seen, *, sent_before_s: float | None, resend_after_s: float, stuck_after_s: float
) -> Decision:
    """Decide. ``sent_before_s`` is how long ago this process handed the newest attempt to a node (``None``: never)."""
    if state.stage in {"planned", "reserved"}:
        return Decision("sign", "nothing was sent yet")
    found = _receipt(state, seen)
    if state.stage == "mined":
        return _mined(state, seen, found)
    if found is not None:
        mined, status = found
        if seen.canonical.get(mined.block_number, mined.block_hash) != mined.block_hash:
            return Decision("wait", "the receipt's block is not the canonical one")
        return Decision("mined" if status == 1 else "reverted", "a receipt is there", mined)
    assert state.nonce is not None
    if seen.nonce > state.nonce:
        return Decision("ask_foreign", "the nonce is used, but no receipt of ours is there")
    newest = state.attempts[-1].hash
    if sent_before_s is None:
        return Decision("send", "not handed to a node in this run")
    if seen.nonce == state.nonce and sent_before_s >= stuck_after_s:
        return Decision("replace", "pending too long")
    if newest not in seen.pooled and sent_before_s >= resend_after_s:
        return Decision("send", "no node knows it")
    return Decision("wait", "pending")


def _receipt(state: TxState, seen: Seen) -> tuple[Mined, int] | None:
    """The receipt of any attempt, newest first, with its status."""
    for attempt in reversed(state.attempts):
        receipt = seen.receipts.get(attempt.hash)
        if receipt is not None:
            mined = Mined(
                attempt.hash,
                int(receipt["blockNumber"], 16),
                str(receipt["blockHash"]),
                int(receipt["gasUsed"], 16),
                int(receipt.get("effectiveGasPrice") or "0x0", 16),
            )
            return mined, int(receipt["status"], 16)
    return None


def _mined(state: TxState, seen: Seen, found: tuple[Mined, int] | None) -> Decision:
    if found is None:
        return Decision("reorged", "the receipt is gone")
    mined, status = found
    if status != 1:
        return Decision("reverted", "mined again, with a failure", mined)
    if state.mined is None or mined.block_hash != state.mined.block_hash:
        return Decision("mined", "mined in another block", mined)
    if mined.block_number > seen.final_number:
        return Decision("wait", "waiting for finality")
    if seen.canonical.get(mined.block_number) != mined.block_hash:
        return Decision("wait", "its block is not seen as canonical")
    return Decision("finalize", "in a final, canonical block", mined)
