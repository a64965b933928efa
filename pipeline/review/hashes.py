"""The signing document: what a Safe's owners sign, as hardware wallets show it, and the ids of timelock operations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from chains.evm.abi import AbiType, decode
from chains.evm.actions import Action
from chains.evm.address import keccak256
from chains.evm.proposal import Proposal
from chains.evm.safe.typed import EXEC, decode_exec, domain_separator
from chains.evm.timelock import Operation
from pipeline.plan import Plan

__all__ = ["signing_document"]

_CALL = ("address", "uint256", "bytes", "bytes32", "bytes32")
_SCHEDULE = keccak256(f"schedule({','.join((*_CALL, 'uint256'))})".encode())[:4]
_EXECUTE = keccak256(f"execute({','.join(_CALL)})".encode())[:4]


def signing_document(plan: Plan) -> dict[str, Any]:
    """What is known of signatures before fees are: payload digests are in the transactions document."""
    chain_id = int(plan.body.chain["id"])
    return {
        "schema": 1,
        "kind": "contract-ship/review-signing",
        "safe": [_safe(proposal, chain_id) for proposal in plan.body.proposals],
        "timelock": [_operation(*found) for action in plan.body.actions for found in _operations(action)],
    }


def _safe(proposal: Proposal, chain_id: int) -> dict[str, Any]:
    domain = domain_separator(chain_id, proposal.safe)
    return {
        "proposal": proposal.id,
        "actions": list(proposal.actions),
        "domain": {"chainId": chain_id, "verifyingContract": proposal.safe},
        "message": proposal.tx.to_json(),
        "domain_hash": "0x" + domain.hex(),
        "message_hash": "0x" + proposal.tx.struct_hash().hex(),
        "safe_tx_hash": "0x" + proposal.tx.hash(domain).hex(),
    }


def _operations(action: Action) -> Iterator[tuple[Action, str, bytes]]:
    """Calls of a timelock in an action: its own, or that of the Safe transaction it executes."""
    to, data = action.to, action.data
    if data[:4] == EXEC:
        try:
            inner, _ = decode_exec(data, 0)
        except ValueError:
            return
        to, data = inner.to, inner.data
    if to and data[:4] in {_SCHEDULE, _EXECUTE}:
        yield action, to, data


def _operation(action: Action, timelock: str, data: bytes) -> Mapping[str, Any]:
    schedules = data[:4] == _SCHEDULE
    kinds = [*_CALL, "uint256"] if schedules else list(_CALL)
    target, value, payload, predecessor, salt, *delay = decode([AbiType("", kind) for kind in kinds], data[4:])
    operation = Operation(target, value, payload, salt, predecessor)
    return {
        "action": action.id,
        "does": "schedule" if schedules else "execute",
        "timelock": timelock,
        "operation": "0x" + operation.id().hex(),
        "delay_s": delay[0] if delay else None,
    }
