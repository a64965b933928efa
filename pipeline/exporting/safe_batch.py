"""Safe's transaction builder: a plan's calls as a batch file its web application imports.

The checksum is computed as the application does (safe-react-apps, ``tx-builder/src/lib/checksum.ts``): keccak256 of a
serialization with sorted keys, the batch's name left out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from chains.errors import Refused
from chains.evm.actions import Action
from chains.evm.address import keccak256
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


def write_safe_batch(plan: Plan, safe: str, *, created_at_ms: int = 0) -> dict[str, Any]:
    """The batch of every call in ``plan``, in order. Raises ``NotOnlyCalls`` for a plan that creates contracts or is empty."""
    calls = [action for action in plan.body.actions if action.kind == "call"]
    creations = [action.id for action in plan.body.actions if action.kind != "call"]
    if creations or not calls:
        raise NotOnlyCalls(
            f"the plan deploys {', '.join(creations)}; a Safe's batch holds calls only"
            if creations
            else "the plan holds no call",
            remedy="Deploy first, then export the plan that is left."
            if creations
            else "There is nothing for the Safe to do.",
        )
    batch: dict[str, Any] = {
        "version": "1.0",
        "chainId": str(plan.body.chain["id"]),
        "createdAt": created_at_ms,
        "meta": {
            "name": f"{plan.project} {plan.version}",
            "description": f"plan {plan.digest}",
            "txBuilderVersion": _BUILDER_VERSION,
            "createdFromSafeAddress": safe,
            "createdFromOwnerAddress": "",
        },
        "transactions": _transactions(calls),
    }
    batch["meta"]["checksum"] = batch_checksum(batch)
    return batch


def _transactions(calls: Sequence[Action]) -> list[dict[str, Any]]:
    return [
        {"to": a.to, "value": str(a.value_wei), "data": "0x" + a.data.hex(), "contractMethod": None, "contractInputsValues": None}
        for a in calls
    ]  # fmt: skip
