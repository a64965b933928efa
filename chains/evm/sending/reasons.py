"""Why a mined transaction failed, as far as a node tells. For people: that it failed is known without it."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

from chains.evm.abi import explain_revert
from chains.evm.actions import Action
from chains.evm.lifecycle import Mined
from chains.evm.node import data_or_nothing
from chains.rpc import Rpc, RpcDown, RpcFault

__all__ = ["why_it_failed"]


def why_it_failed(
    rpc: Rpc, deployer: str, action: Action, mined: Mined, abis: Sequence[Sequence[Mapping[str, Any]]]
) -> str:
    """By running it again on the state before its block."""
    request: dict[str, Any] = {"from": deployer, "value": hex(action.value_wei), "input": "0x" + action.data.hex()}
    if action.to:
        request["to"] = action.to
    answer: Any = None
    with contextlib.suppress(RpcDown):
        answer = rpc.read_all([("eth_call", [request, hex(mined.block_number - 1)])])[0]
    if isinstance(answer, RpcFault) and (data := data_or_nothing(answer.data)):
        return explain_revert(data, abis)
    return f"failed with {mined.gas_used} of {action.gas_limit} gas used"
