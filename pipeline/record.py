"""The release record: what runs where, how it got there, who signed it, and what proves it.

A pure function of the journal, so that a run killed before the file was written derives the same bytes again. Canonical
JSON in a readable layout; beside it an in-toto Statement (v1) that names the record and the bundle by sha256.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from chains.base import Row
from chains.canonical import digest, pretty, sha256_hex
from chains.errors import Refused, Where
from chains.evm.actions import EvmPlan
from chains.evm.lifecycle import Mined, not_taken_back
from chains.evm.live import live_units
from chains.files import write_atomic
from chains.jsontext import read_json
from pipeline.plan import Plan
from pipeline.proposals.recording import executed_proposals, of_plan, transactions_by_others
from pipeline.publishing.verdicts import newest_verdicts

__all__ = ["RecordInvalid", "derive_record", "load_record", "statement", "statement_path", "write_record"]

SCHEMA = 1
KIND = "contract-ship/record"
PREDICATE_TYPE = "https://contract-ship.dev/release/v1"


class RecordInvalid(Refused):
    """SHIP-R01: the file is not a release record."""

    code = "SHIP-R01"


def derive_record(plan: Plan, bodies: Mapping[str, EvmPlan], rows: Sequence[Row]) -> dict[str, Any]:
    """The record of ``plan``, whose proofs and checks the journal holds (``plan.proven``)."""
    accepted = _last(rows, "plan.accepted", plan.digest)
    proven = _last(rows, "plan.proven", plan.digest)
    seen = not_taken_back([row for row in rows if row.seq <= proven.seq])
    transactions = [_transaction(row, bodies) for row in seen if row.kind == "tx.final"]
    proposals = executed_proposals(seen)
    changes = {u.name: u for u in plan.body.units}
    live = live_units(seen, bodies)
    units = {}
    for name, planned in changes.items():
        unit = live.get(name)
        made_by = [t["hash"] for t in transactions if t["unit"] == name]
        after = unit.to_json() if unit else dict(planned.after)
        after.pop("created")
        after.pop("reads", None)
        units[name] = {
            **after,
            "change": planned.change,
            "reason": planned.reason,
            "transactions": made_by + transactions_by_others(name, proposals, bodies),
        }
    reverted = _reverted(seen, accepted.seq)
    own = [*(t for t in transactions if t["plan"] == plan.digest), *reverted]
    gas, cost_wei = sum(t["gas_used"] for t in own), sum(int(t["cost_wei"]) for t in own)
    return {
        "schema": SCHEMA,
        "kind": KIND,
        "project": plan.project,
        "version": plan.version,
        "tag": plan.tag,
        "target": plan.target,
        "chain": dict(plan.body.chain),
        "commit": plan.commit,
        "dirty": plan.dirty,
        **({"promoted_from": plan.promoted_from} if plan.promoted_from is not None else {}),
        "bundle": plan.bundle,
        "plan": plan.digest,
        "inputs": plan.inputs,
        "signer": plan.body.deployer,
        "approved_by": accepted.data["approved_by"],
        **({"approvals": accepted.data["approvals"]} if "approvals" in accepted.data else {}),
        "accepted_at": accepted.at,
        "proven_at": proven.at,
        "gates": accepted.data["gates"],
        "units": units,
        "transactions": [t for t in transactions if t["plan"] == plan.digest or t["unit"] in units],
        **({"proposals": own_proposals} if (own_proposals := of_plan(proposals, plan.digest)) else {}),
        "proofs": proven.data["proofs"],
        "checks": proven.data["checks"],
        "cost": {"gas": gas, "wei": str(cost_wei), **({"reverted": reverted} if reverted else {})},
        **_adopted(seen, plan.digest),
        **({"way": "rollback", **plan.rollback} if plan.rollback is not None else {}),
        **_sources(seen, proven),
        "journal": {"rows": proven.seq + 1},
        "ship": proven.data["ship"],
    }


def _reverted(rows: Sequence[Row], accepted: int) -> list[dict[str, Any]]:
    """Transactions on the way to this release that failed: they were paid for. Those before the last release are not."""
    start = max((row.seq for row in rows if row.kind == "plan.finished" and row.seq < accepted), default=-1)
    failed = [row for row in rows if row.kind == "tx.reverted" and row.seq > start]
    keys = ("plan", "action", "hash", "gas_used", "reason")
    return [{**{k: row.data[k] for k in keys}, "cost_wei": str(Mined.from_json(row.data).fee_wei)} for row in failed]


def _sources(rows: Sequence[Row], proven: Row) -> dict[str, Any]:
    """What explorers showed of the contracts in this record when it was made; nothing where none was asked."""
    addresses = {proof["address"].lower() for proof in proven.data["proofs"]} | set(proven.data.get("inner", ()))
    keys = ("service", "what", "address", "of", "verdict", "reason", "url")
    newest = newest_verdicts(rows).values()
    shown = [{key: data[key] for key in keys} for data in newest if data["address"].lower() in addresses]
    return {"sources": shown} if shown else {}


def _adopted(rows: Sequence[Row], plan: str) -> dict[str, Any]:
    """What was taken over in this plan, and what was seen of it.

    By ``ship adopt`` whole units: the record's ``way`` is then ``adopted``. In a deployment single actions, whose contract
    somebody else put at its address first.
    """
    rows = [row for row in rows if row.kind == "unit.adopted" and row.data["plan"] == plan and "evidence" in row.data]
    keys = ("unit", "action", "evidence")
    taken = [{key: row.data[key] for key in keys if key in row.data} for row in rows]
    way = {"way": "adopted"} if any("action" not in row.data for row in rows) else {}
    return {**way, "adopted": taken} if taken else {}


def _last(rows: Sequence[Row], kind: str, plan: str) -> Row:
    return next(row for row in reversed(rows) if row.kind == kind and row.data["plan"] == plan)


def _transaction(row: Row, bodies: Mapping[str, EvmPlan]) -> dict[str, Any]:
    data = row.data
    action = next((a for a in bodies[data["plan"]].actions if a.id == data["action"]), None)
    return {
        "plan": data["plan"],
        "action": data["action"],
        "unit": action.unit if action else "",
        "title": action.title if action else f"execute the proposal {data['action'].rpartition('.')[0]}",
        "hash": data["hash"],
        "nonce": data["nonce"],
        "block_number": data["block_number"],
        "block_hash": data["block_hash"],
        "gas_used": data["gas_used"],
        "gas_price_wei": data["gas_price_wei"],
        **{key: data[key] for key in ("l1_fee_wei", "operator_fee_wei") if key in data},
        "cost_wei": str(Mined.from_json(data).fee_wei + (action.value_wei if action else 0)),
        "address": data["address"],
        "code_keccak256": data["code_keccak256"],
        "finality": data["finality"],
    }


def statement(record: Mapping[str, Any], name: str) -> dict[str, Any]:
    """An in-toto Statement (https://in-toto.io/Statement/v1) about the record file called ``name`` and its bundle."""
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [
            {"name": name, "digest": {"sha256": sha256_hex(pretty(record))}},
            {"name": "bundle.json", "digest": {"sha256": record["bundle"]}},
        ],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            key: record[key] for key in ("project", "version", "target", "chain", "commit", "plan", "signer", "units")
        },
    }


def statement_path(record: Path) -> Path:
    return record.with_suffix(".intoto.json")


def write_record(path: Path, record: Mapping[str, Any]) -> str:
    """Write record and statement; gives the sha256 of the record's bytes. The same record again changes nothing."""
    data = pretty(record)
    if not path.exists() or path.read_bytes() != data:
        write_atomic(path, data)
    write_atomic(statement_path(path), pretty(statement(record, path.name)))
    return sha256_hex(data)


def load_record(path: Path) -> dict[str, Any]:
    """Read a record. Raises ``RecordInvalid``."""
    try:
        data = read_json(path.read_bytes())
        if data["schema"] != SCHEMA or data["kind"] != KIND:
            raise ValueError("another kind of file, or a newer one")
        digest(data)
        return dict(data)
    except OSError as error:
        raise RecordInvalid(
            f"the record cannot be read: {error.strerror}",
            where=Where(str(path)),
            remedy="`ship record show` lists records.",
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise RecordInvalid(
            f"not a release record: {error}", where=Where(str(path)), remedy="Restore it from version control."
        ) from error
