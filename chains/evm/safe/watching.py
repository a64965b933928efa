"""Whether a proposed Safe transaction was executed, or its nonce taken by another.

Executed: an ``ExecutionSuccess`` event of the Safe with our hash, in a final block of the canonical chain. Superseded:
at the final block the Safe's nonce is past ours on every endpoint, and every endpoint gave its events, none of them
ours. Everything else is undecided: an answer too few proposes twice what was done once.

After a reorganization an execution may lie below the block the proposal was made at, so that events are then searched
from far before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from chains.evm.address import keccak256
from chains.evm.lifecycle import Mined
from chains.evm.logs import logs_of_each
from chains.evm.node import Head, quantity
from chains.evm.safe.lifecycle import ProposalState
from chains.rpc import Rpc

__all__ = ["Watched", "heads", "undone", "watch"]

_SUCCESS = "0x" + keccak256(b"ExecutionSuccess(bytes32,uint256)").hex()
_DEEPEST_REORG_BLOCKS = 100_000
"""Seven hours at the shortest block times there are, two weeks on Ethereum."""
_NONCE = "0x" + keccak256(b"nonce()")[:4].hex()


@dataclass(frozen=True)
class Watched:
    """``mined`` comes with ``executed`` and, not final yet, with ``pending``; ``about`` is the hash that was executed: one
    that was dead, when a reorganization undid the transaction that had taken its nonce."""

    verdict: Literal["open", "pending", "executed", "superseded"]
    mined: Mined | None = None
    about: str = ""


def heads(rpc: Rpc, finality: int | str) -> tuple[Head, int]:
    """The newest block, and the number of the final one; ``finality`` as the sender's."""
    tag = finality if isinstance(finality, str) else "latest"
    answers = rpc.read_all([("eth_getBlockByNumber", ["latest", False]), ("eth_getBlockByNumber", [tag, False])])
    latest = Head.from_rpc(answers[0])
    if isinstance(finality, int):
        return latest, max(0, latest.number - finality + 1)
    return latest, Head.from_rpc(answers[1]).number


def watch(rpc: Rpc, safe: str, state: ProposalState, finality: int | str) -> Watched:
    """One look at a proposal that was made."""
    assert state.tx is not None
    head, final = heads(rpc, finality)
    latest = head.number
    found = logs_of_each(rpc, [safe], [[_SUCCESS]], _since(rpc, state), latest)
    for log in found or ():
        for about in (state.hash, *state.dead):
            if _is_about(log, about):
                return replace(_found(rpc, str(log["transactionHash"]), final), about=about)
    if found is None or final < state.since_block:
        return Watched("open")
    nonces = []
    for answer in rpc.ask_each("eth_call", [{"to": safe, "input": _NONCE}, hex(final)]):
        if not isinstance(answer, str):
            return Watched("open")
        nonces.append(int(answer, 16))
    return Watched("superseded" if min(nonces) > state.tx.nonce else "open")


def _since(rpc: Rpc, state: ProposalState) -> int:
    """Where to begin: the block the proposal was made at, unless any endpoint has another one in its place."""
    for block in rpc.ask_each("eth_getBlockByNumber", [hex(state.since_block), False]):
        if not isinstance(block, dict) or block.get("hash") != state.since_hash:
            return max(0, state.since_block - _DEEPEST_REORG_BLOCKS)
    return state.since_block


def undone(rpc: Rpc, transaction: str) -> bool:
    """Whether a transaction that was final is on no endpoint's chain any more. One that does not answer proves nothing."""
    return all(receipt is None for receipt in rpc.ask_each("eth_getTransactionReceipt", [transaction]))


def _is_about(log: Mapping[str, Any], safe_tx_hash: str) -> bool:
    """1.4.1 indexes the hash, 1.3.0 has it in the data."""
    told = log["topics"][1] if len(log["topics"]) > 1 else log["data"][:66]
    return str(told).lower() == safe_tx_hash.lower()


def _found(rpc: Rpc, transaction: str, final: int) -> Watched:
    receipt = rpc.read("eth_getTransactionReceipt", [transaction])
    if not isinstance(receipt, dict) or receipt.get("status") != "0x1":
        return Watched("open")
    mined = Mined(
        transaction,
        quantity(receipt["blockNumber"]),
        str(receipt["blockHash"]),
        quantity(receipt["gasUsed"]),
        int(receipt.get("effectiveGasPrice") or "0x0", 16),
    )
    block = rpc.read("eth_getBlockByNumber", [hex(mined.block_number), False])
    canonical = isinstance(block, dict) and block.get("hash") == mined.block_hash
    return Watched("executed" if canonical and mined.block_number <= final else "pending", mined)
