"""One look at the chain for the transactions under way: head, finality, nonce, receipts, pool, canonical blocks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from chains.errors import Resumable
from chains.evm.actions import EvmPlan
from chains.evm.lifecycle import TxState
from chains.evm.node import Head, block_hash, quantity
from chains.evm.reconcile import Receipt, Seen
from chains.rpc import Rpc

__all__ = ["ChainChanged", "Finality", "confirmed_by_another", "look"]

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
    canonical = _canonical(rpc, sorted(numbers))
    return Seen(nonce, head.number, final_number, receipts, pooled, canonical, rpc.answered_by)


def confirmed_by_another(
    rpc: Rpc, mined: Sequence[Receipt], finality: Finality | None, *, than: str
) -> tuple[set[str], str]:
    """``(hashes of the transactions a second provider confirms, what it says of the others)``, in one batch.

    Confirmed is a transaction whose block the other provider has as canonical at that number, with a receipt of the
    same outcome in it, and (with ``finality``) final by its own count. With three providers any second word will do.
    """
    tag = finality if isinstance(finality, str) else "latest"
    requests: list[tuple[str, list[Any]]] = [("eth_getBlockByNumber", [tag, False])]
    for one in (receipt.mined for receipt in mined):
        requests += [
            ("eth_getBlockByNumber", [hex(one.block_number), False]),
            ("eth_getTransactionReceipt", [one.hash]),
        ]
    confirmed: set[str] = set()
    hint = "no second provider answers"
    for label, answers in rpc.second_words(requests, than=than):
        try:
            final_number = Head.from_rpc(answers[0]).number
        except (ValueError, KeyError, TypeError):
            hint = f"{label} knows no {tag} block"
            continue
        final_number -= finality - 1 if isinstance(finality, int) else 0
        for position, wanted in enumerate(mined):
            one = wanted.mined
            block, receipt = answers[1 + 2 * position : 3 + 2 * position]
            problem = _differs(wanted, block, receipt)
            if problem is None and finality is not None and one.block_number > final_number:
                problem = f"does not hold block {one.block_number} for final yet"
            if problem is None:
                confirmed.add(one.hash)
            elif one.hash not in confirmed:
                hint = f"{label} {problem}"
        if len(confirmed) == len({wanted.mined.hash for wanted in mined}):
            break
    return confirmed, hint


def _differs(wanted: Receipt, block: Any, receipt: Any) -> str | None:
    """What another provider says otherwise about a transaction, or ``None``."""
    mined = wanted.mined
    try:
        hash_there = block_hash(block["hash"]) if quantity(block["number"]) == mined.block_number else ""
    except (ValueError, KeyError, TypeError):
        return f"does not have block {mined.block_number} yet"
    if hash_there != mined.block_hash:
        return f"has another block {mined.block_number}: the providers disagree"
    there = Receipt.from_rpc(mined.hash, receipt)
    if there is None or (there.mined.block_hash, there.succeeded) != (mined.block_hash, wanted.succeeded):
        return f"shows no such receipt of {mined.hash} in block {mined.block_number}"
    return None


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
