"""Which transaction used a nonce, told from the blocks themselves: the evidence before anything is called foreign."""

from __future__ import annotations

from typing import Any

from chains.evm.node import quantity
from chains.rpc import Endpoint

__all__ = ["used_by"]


def used_by(endpoint: Endpoint, account: str, nonce: int, since_block: int) -> str | None:
    """Hash of the transaction by ``account`` with ``nonce``, mined in or after ``since_block``; ``None`` if not shown.

    Finds the block by bisection over the account's transaction count. Where a node has dropped old state, only newer
    blocks are looked at. Raises ``RpcUnknown``.
    """

    def used_at(block: int) -> bool:
        answer = endpoint.batch([("eth_getTransactionCount", [account, hex(block)])])[0]
        return isinstance(answer, str) and quantity(answer) > nonce

    try:
        low, high = since_block, quantity(endpoint.batch([("eth_blockNumber", [])])[0])
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if used_at(middle) else (middle + 1, high)
        block: Any = endpoint.batch([("eth_getBlockByNumber", [hex(high), True])])[0]
        for transaction in block["transactions"]:
            if transaction["from"].lower() == account.lower() and quantity(transaction["nonce"]) == nonce:
                return str(transaction["hash"]).lower()
    except (ValueError, KeyError, TypeError, AttributeError):
        pass  # an answer that makes no sense shows nothing
    return None
