"""Why a mined transaction failed, as far as a node tells. For people: that it failed is known without it."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

from chains.errors import printable
from chains.evm.abi import explain_revert
from chains.evm.actions import Action
from chains.evm.lifecycle import Mined
from chains.evm.node import data_or_nothing, quantity
from chains.rpc import Rpc, RpcFault

__all__ = ["why_it_failed"]

Abis = Sequence[Sequence[Mapping[str, Any]]]


def why_it_failed(rpc: Rpc, deployer: str, action: Action, mined: Mined, abis: Abis) -> str:
    """By a replay in its own place in its block; on the state before the block only where it was the first in it.

    What stood before it in the block may be the very reason, and another state would give another one.
    """
    spent = f"{mined.gas_used} of {action.gas_limit} gas used"
    for trace in rpc.ask_each("debug_traceTransaction", [mined.hash, {"tracer": "callTracer"}]):
        if isinstance(trace, dict) and isinstance(trace.get("error"), str):
            data = data_or_nothing(trace.get("output"))
            return explain_revert(data, abis) if data else f"{printable(trace['error'], 200)}, with {spent}"
    if _was_first(rpc, mined):
        request = {"from": deployer, "value": hex(action.value_wei), "input": "0x" + action.data.hex()}
        request |= {"to": action.to} if action.to else {}
        for answer in rpc.ask_each("eth_call", [request, hex(mined.block_number - 1)]):
            if isinstance(answer, RpcFault) and (data := data_or_nothing(answer.data)):
                return explain_revert(data, abis)
    return f"failed with {spent}"


def _was_first(rpc: Rpc, mined: Mined) -> bool:
    receipts: list[Any] = rpc.ask_each("eth_getTransactionReceipt", [mined.hash])
    for receipt in receipts:
        with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
            return quantity(receipt["transactionIndex"]) == 0 and receipt["blockHash"].lower() == mined.block_hash
    return False
