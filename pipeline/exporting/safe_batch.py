"""Safe's transaction builder: a plan's calls as a batch file its web application imports.

The checksum is computed as the application does (safe-react-apps, ``tx-builder/src/lib/checksum.ts``): keccak256 of a
serialization with sorted keys, the batch's name left out. Beside the batch a sidecar holds the Safe transaction itself: the
application makes one of its own from the calls, with the nonce it finds.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from chains.errors import Refused
from chains.evm.actions import Action
from chains.evm.address import keccak256
from chains.evm.safe.builder import typed_data
from chains.evm.safe.multisend import MULTISEND_CALL_ONLY, InnerCall, multisend_calldata
from chains.evm.safe.typed import SafeTx, domain_separator
from pipeline.plan import Plan

__all__ = ["NotOnlyCalls", "batch_checksum", "write_safe_batch"]

_BUILDER_VERSION = "1.18.0"


class NotOnlyCalls(Refused):
    """SHIP-X04: the plan holds more than a Safe's batch can."""

    code = "SHIP-X04"


def batch_checksum(batch: Mapping[str, Any]) -> str:
    """The checksum of a batch file, 0x and 64 hex digits."""
    meta = {**batch["meta"], "name": None}
    return "0x" + keccak256(_serialized({**batch, "meta": meta}).encode()).hex()


def _serialized(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"[{','.join(_serialized(item) for item in value)}]"
    if isinstance(value, Mapping):
        keys = sorted(value)
        return "{" + _plain(keys) + "".join(f"{_serialized(value[key])}," for key in keys) + "}"
    return _plain(value)


def _plain(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def write_safe_batch(plan: Plan, safe: str, nonce: int) -> dict[str, str]:
    """The batch of every call in ``plan``, in order, and its sidecar: the very Safe transaction with its hash.

    Several calls are one DELEGATECALL to MultiSendCallOnly 1.4.1 at its canonical address. Raises ``NotOnlyCalls`` for a plan that
    creates contracts or is empty.
    """
    calls = [action for action in plan.body.actions if action.kind in {"call", "proposal"}]
    creations = [action.id for action in plan.body.actions if action not in calls]
    if creations:
        raise NotOnlyCalls(
            f"the plan deploys {', '.join(creations)}; a Safe's batch holds calls only",
            remedy="Deploy first, then export the plan that is left.",
        )
    if not calls:
        raise NotOnlyCalls("the plan holds no call", remedy="There is nothing for the Safe to do.")
    batch: dict[str, Any] = {
        "version": "1.0",
        "chainId": str(plan.body.chain["id"]),
        "createdAt": 0,
        "meta": {
            "name": f"{plan.project} {plan.version}",
            "description": f"plan {plan.digest}",
            "txBuilderVersion": _BUILDER_VERSION,
            "createdFromSafeAddress": safe,
            "createdFromOwnerAddress": "",
        },
        "transactions": [_transaction(action) for action in calls],
    }
    batch["meta"]["checksum"] = batch_checksum(batch)
    documents = {"safe-batch.json": batch, "safe-batch.sidecar.json": _sidecar(plan, safe, nonce, calls)}
    return {name: json.dumps(document, indent=2, ensure_ascii=False) + "\n" for name, document in documents.items()}


def _sidecar(plan: Plan, safe: str, nonce: int, calls: Sequence[Action]) -> dict[str, Any]:
    """Everything the batch file has no place for."""
    chain_id = plan.body.chain["id"]
    tx = _safe_tx(calls, nonce)
    typed = typed_data(chain_id, safe, tx)
    return {
        "schema": 1,
        "kind": "contract-ship/safe-batch",
        "plan": plan.digest,
        "safe": safe,
        "chainId": chain_id,
        "nonce": nonce,
        "operation": tx.operation,
        "safeTxHash": "0x" + tx.hash(domain_separator(chain_id, safe)).hex(),
        "multiSendCodeHash": "0x" + MULTISEND_CALL_ONLY[tx.to] if tx.operation else None,
        "transaction": tx.to_json(),
        "typedData": typed,
        "calls": [{"id": action.id, "title": action.title, "args": [dict(a) for a in action.args]} for action in calls],
    }


def _safe_tx(calls: Sequence[Action], nonce: int) -> SafeTx:
    if len(calls) == 1:
        (only,) = calls
        return SafeTx(str(only.to), only.value_wei, only.data, 0, nonce)
    inner = [InnerCall(str(action.to), action.value_wei, action.data) for action in calls]
    return SafeTx(next(iter(MULTISEND_CALL_ONLY)), 0, multisend_calldata(inner), 1, nonce)


def _transaction(action: Action) -> dict[str, Any]:
    return {
        "to": action.to,
        "value": str(action.value_wei),
        "data": "0x" + action.data.hex(),
        "contractMethod": None,
        "contractInputsValues": None,
    }
