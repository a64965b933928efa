"""One look at the chain for the transactions under way: head, finality, nonce, receipts, pool, canonical blocks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from chains.errors import Resumable
from chains.evm.actions import EvmPlan
from chains.evm.lifecycle import TxState
from chains.evm.node import Head, block_hash, quantity
from chains.evm.reconcile import Receipt, Seen
from chains.rpc import Rpc

__all__ = ["ChainChanged", "Finality", "look"]

Finality = int | str
"""A number of confirmations (1 = the block it is in), or a block tag: ``latest``, ``safe``, ``finalized``."""


class ChainChanged(Resumable):
    """SHIP-E25: the endpoint began to serve another chain in the middle of a run."""

    code = "SHIP-E25"


def look(rpc: Rpc, plan: EvmPlan, states: Iterable[TxState], finality: Finality) -> Seen | None:
    """Read everything ``reconcile`` needs, in two batches; ``None`` when the answers make no sense.

    Raises ``ChainChanged`` and ``RpcDown``.
    """
    waiting = [s for s in states if s.stage in {"signed", "mined"}]
    hashes = [a.hash for s in waiting for a in s.attempts]
    pending = [s.attempts[-1].hash for s in waiting if s.stage == "signed"]
    tag = finality if isinstance(finality, str) else "latest"
    requests: list[tuple[str, list[Any]]] = [
        ("eth_chainId", []),
        ("eth_getBlockByNumber", ["latest", False]),
        ("eth_getBlockByNumber", [tag, False]),
        ("eth_getTransactionCount", [plan.deployer, "latest"]),
    ]
    requests += [("eth_getTransactionReceipt", [h]) for h in hashes]
    requests += [("eth_getTransactionByHash", [h]) for h in pending]
    answers = rpc.read_all(requests)
    try:
        chain_id, head, nonce = quantity(answers[0]), Head.from_rpc(answers[1]), quantity(answers[3])
        final_number = Head.from_rpc(answers[2]).number if isinstance(answers[2], dict) else -1
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    if chain_id != plan.chain["id"]:
        raise ChainChanged(
            f"the endpoint now serves chain {chain_id} instead of {plan.chain['id']}",
            done="Nothing was signed for the other chain.",
            remedy="Correct the endpoint, then run the same command again.",
        )
    if isinstance(finality, int):
        final_number = head.number - finality + 1
    receipts = _receipts(hashes, answers[4:])
    numbers = {r.mined.block_number for r in receipts.values()}
    numbers |= {s.mined.block_number for s in waiting if s.mined}
    pooled = frozenset(h for h, t in zip(pending, answers[4 + len(hashes) :], strict=True) if isinstance(t, dict))
    return Seen(nonce, head.number, final_number, receipts, pooled, _canonical(rpc, sorted(numbers)))


def _receipts(hashes: Iterable[str], answers: Iterable[Any]) -> dict[str, Receipt]:
    read = {h: Receipt.from_rpc(h, answer) for h, answer in zip(hashes, answers, strict=False)}
    return {h: receipt for h, receipt in read.items() if receipt is not None}


def _canonical(rpc: Rpc, numbers: list[int]) -> dict[int, str]:
    """The hash of the block at each height, where the node has one and it is the one asked for."""
    found = {}
    blocks: list[Any] = rpc.read_all([("eth_getBlockByNumber", [hex(n), False]) for n in numbers])
    for number, block in zip(numbers, blocks, strict=True):
        try:
            if quantity(block["number"]) == number:
                found[number] = block_hash(block["hash"])
        except (ValueError, KeyError, TypeError):
            continue
    return found
