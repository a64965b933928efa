"""What a second provider says of transactions that look final or failed (design law 3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chains.evm.looking import Finality
from chains.evm.node import Head, block_hash, quantity
from chains.evm.reconcile import Receipt
from chains.rpc import Request, Rpc

__all__ = ["confirmed_by_another"]


def confirmed_by_another(
    rpc: Rpc, mined: Sequence[Receipt], finality: Finality | None, *, than: str
) -> tuple[set[str], str]:
    """``(hashes of the transactions a second provider confirms, what it says of the others)``, in one batch.

    Confirmed is a transaction whose block the other provider has as canonical at that number, with a receipt of the
    same outcome in it, and (with ``finality``) final by its own count. With three providers any second word will do.
    """
    tag = finality if isinstance(finality, str) else "latest"
    numbers = sorted({receipt.mined.block_number for receipt in mined})
    requests: list[Request] = [("eth_getBlockByNumber", [tag, False])]
    requests += [("eth_getBlockByNumber", [hex(number), False]) for number in numbers]
    requests += [("eth_getTransactionReceipt", [receipt.mined.hash]) for receipt in mined]
    confirmed: set[str] = set()
    hint = "no second provider answers"
    for label, answers in rpc.second_words(requests, than=than):
        try:
            final_number = Head.from_rpc(answers[0]).number
        except (ValueError, KeyError, TypeError):
            hint = f"{label} knows no {tag} block"
            continue
        final_number -= finality - 1 if isinstance(finality, int) else 0
        blocks = dict(zip(numbers, answers[1 : 1 + len(numbers)], strict=True))
        for wanted, receipt in zip(mined, answers[1 + len(numbers) :], strict=True):
            one = wanted.mined
            problem = _differs(wanted, blocks[one.block_number], receipt)
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
