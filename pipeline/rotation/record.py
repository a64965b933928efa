"""The record of a rotation, and before it the record of how to go back.

``releases/<tag>/<target>.rotation-N.json`` and ``….rollback.json``. Both follow from plan and journal alone, so that a run
killed in between writes the same bytes again. The way back is the new key's: the old one can do nothing any more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from chains.base import Row
from chains.canonical import pretty
from chains.evm.abi import AbiType, decode
from chains.evm.actions import Action
from chains.evm.lifecycle import Mined
from chains.evm.proxies import encode_call
from chains.files import write_atomic
from chains.jsontext import read_json
from pipeline import __version__
from pipeline.plan import Envelope, Plan
from pipeline.state.local import TargetState

__all__ = ["numbered_path", "rollback_path", "rotation_path", "rotation_record", "way_back", "write"]

_NOBODY, _NO_ROLE = "0x" + "00" * 20, "0x" + "00" * 32
_GRANT = encode_call("grantRole", ["bytes32", "address"], [_NO_ROLE, _NOBODY])[:4]
_RENOUNCE = encode_call("renounceRole", ["bytes32", "address"], [_NO_ROLE, _NOBODY])[:4]
_OWNER = encode_call("transferOwnership", ["address"], [_NOBODY])[:4]
_DEFAULT_ADMIN = encode_call("beginDefaultAdminTransfer", ["address"], [_NOBODY])[:4]


def rotation_path(state: TargetState, plan: Plan) -> Path:
    """Where this plan's record goes."""
    return numbered_path(state, plan, "rotation")


def numbered_path(state: TargetState, plan: Envelope, what: str) -> Path:
    """``<target>.<what>-N.json`` of the plan's tag: the first name that is free, or already its own."""
    number = 1
    while True:
        path = state.project.releases / plan.tag / f"{state.name}.{what}-{number}.json"
        taken = path if path.exists() else rollback_path(path)
        if not taken.exists() or read_json(taken.read_bytes())["plan"] == plan.digest:
            return path
        number += 1


def rollback_path(record: Path) -> Path:
    return record.with_suffix(".rollback.json")


def write(path: Path, data: Mapping[str, Any]) -> bytes:
    """The bytes written; the same again changes nothing."""
    content = pretty(data)
    if not path.exists() or path.read_bytes() != content:
        write_atomic(path, content)
    return content


def rotation_record(plan: Plan, rows: Sequence[Row]) -> dict[str, Any]:
    """What moved, by which transactions. Pure over the journal."""
    accepted = next(r for r in reversed(rows) if r.kind == "plan.accepted" and r.data["plan"] == plan.digest)
    actions = {a.id: a for a in plan.body.actions}
    final = [r for r in rows if r.kind == "tx.final" and r.data["plan"] == plan.digest]
    return {
        "schema": 1,
        "kind": "contract-ship/rotation",
        "project": plan.project,
        "version": plan.version,
        "target": plan.target,
        "chain": dict(plan.body.chain),
        "from": plan.body.deployer,
        "to": plan.body.handover,
        "plan": plan.digest,
        "commit": plan.commit,
        "dirty": plan.dirty,
        "approved_by": accepted.data["approved_by"],
        "accepted_at": accepted.at,
        "moved": [_moved(row, actions.get(row.data["action"])) for row in final],
        "cost": {
            "gas": sum(r.data["gas_used"] for r in final),
            "wei": str(sum(Mined.from_json(r.data).fee_wei for r in final)),
        },
        "ship": __version__,
    }


def _moved(row: Row, action: Action | None) -> dict[str, Any]:
    data = row.data
    return {
        "action": data["action"],
        "unit": action.unit if action else None,
        "title": action.title if action else None,
        "contract": action.to if action else None,
        "hash": data["hash"],
        "nonce": data["nonce"],
        "block_number": data["block_number"],
        "block_hash": data["block_hash"],
    }


def way_back(plan: Plan) -> dict[str, Any]:
    """The rollback record (design §10), known before anything is sent: calls by the new key that undo each transaction."""
    old, new = plan.body.deployer, str(plan.body.handover)
    back = list(_back(plan.body.actions, old, new))
    proposals = [a.id for a in plan.body.actions if a.kind == "proposal"]
    risks = [
        f"{new} alone can go back: {old} can do nothing any more, so that a rotation to a key nobody can sign with is final",
        "what the new key did in the meantime is not undone",
        "rights in contracts that are not recorded on this target are neither moved nor moved back",
    ]
    if proposals:
        risks.append(f"acceptances by a Safe or timelock are undone by that authority itself: {', '.join(proposals)}")
    return {
        "schema": 1,
        "kind": "contract-ship/rollback",
        "id": f"rotation-{plan.digest[:16]}",
        "release": plan.tag,
        "target": plan.target,
        "plan": plan.digest,
        "strategy": "rotate back",
        "capability": "full" if len(back) == len(plan.body.actions) else "partial",
        "requires": {"authority": new, "threshold": 1, "timelock": None},
        "preconditions": [f"{new} still holds what it was given", f"{new} can sign and pay on this chain"],
        "before": {"holder": old},
        "after": {"holder": new},
        "transactions": back,
        "state_risks": risks,
        "executed": None,
    }


def _back(actions: Sequence[Action], old: str, new: str) -> Iterator[dict[str, Any]]:
    """Grants to the old key first, then owners, then what the new key gives up, the strongest role last."""
    undone = [(_undo(action, old, new), action) for action in actions]
    order = {"grantRole": 0, "transferOwnership": 1, "beginDefaultAdminTransfer": 1, "renounceRole": 2}
    found = [(call, action) for call, action in undone if call is not None]
    for (function, args, data), action in sorted(found, key=lambda one: order[one[0][0]]):
        yield {
            "undoes": action.id,
            "from": new,
            "to": action.to,
            "value_wei": "0",
            "function": function,
            "args": args,
            "data": "0x" + data.hex(),
        }


def _undo(action: Action, old: str, new: str) -> tuple[str, list[str], bytes] | None:
    head, body = action.data[:4], action.data[4:]
    if head in {_GRANT, _RENOUNCE}:
        role = bytes(decode([AbiType("", "bytes32"), AbiType("", "address")], body)[0])
        function, account = ("renounceRole", new) if head == _GRANT else ("grantRole", old)
        args = ["0x" + role.hex(), account]
        return function, args, encode_call(function, ["bytes32", "address"], args)
    if head in {_OWNER, _DEFAULT_ADMIN}:
        function = "transferOwnership" if head == _OWNER else "beginDefaultAdminTransfer"
        return function, [old], encode_call(function, ["address"], [old])
    return None
