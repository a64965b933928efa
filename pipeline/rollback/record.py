"""The rollback record (design §10): how a release is taken back, on disk before the release is sent.

``releases/<tag>/<target>.rollback.json``. It is never changed once anything of its release reached the chain; that a rollback
was executed is told by the release record of the rollback itself (``way`` = ``rollback``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from chains.canonical import pretty
from chains.errors import Where
from chains.evm.address import keccak256
from chains.evm.live import LiveUnit
from chains.evm.units import GoBack
from chains.files import write_atomic
from chains.jsontext import read_json
from pipeline.plan import Plan
from pipeline.rollback.errors import RollbackRecordInvalid
from pipeline.rollback.model import Requires, UnitWay, Way
from pipeline.session import Session
from pipeline.state.local import TargetState

__all__ = ["find_rollbacks", "live_of", "load_rollback", "rollback_record", "save_rollback", "shown_record"]

KIND = "contract-ship/rollback"
_SHOWN = (
    "address", "proxy", "implementation", "implementation_init_code", "implementation_source", "admin", "beacon", "source",
    "init_code",
)  # fmt: skip
_FUNCTIONS = {
    keccak256(signature.encode())[:4]: signature
    for signature in (
        "upgradeTo(address)", "upgradeToAndCall(address,bytes)", "upgrade(address,address)",
        "upgradeAndCall(address,address,bytes)",
    )
}  # fmt: skip


def rollback_record(plan: Plan, way: Way, returns_to: str | None) -> dict[str, Any]:
    """The record of how ``plan`` is taken back."""
    return shown_record(way, plan.digest, plan.tag, plan.target, returns_to, f"rollback-{plan.digest[:16]}")


def shown_record(way: Way, plan: str, release: str, target: str, returns_to: str | None, name: str) -> dict[str, Any]:
    """In the form of the record; also what ``ship rollback --json`` prints of a way that was surveyed just now."""
    needs = _hardest([need for _, need in way.turns])
    return {
        "schema": 1,
        "kind": KIND,
        "id": name,
        "release": release,
        "returns_to": returns_to,
        "target": target,
        "plan": plan,
        "strategy": way.strategy,
        "capability": way.capability,
        "requires": needs.to_json(),
        "preconditions": [text for unit in way.units for text in _preconditions(unit)],
        "before": {unit.moved.name: _state(unit.moved.before) for unit in way.units},
        "after": {unit.moved.name: _state(unit.moved.after) for unit in way.units},
        "units": [_unit(unit) for unit in way.units],
        "transactions": [_transaction(call, need) for call, need in way.turns],
        "state_risks": list(way.state_risks),
        "to_accept": list(way.to_accept),
        "rehearsed": dict(way.rehearsed) or None,
        "executed": None,
    }


def _hardest(needs: list[Requires]) -> Requires:
    """The authority that takes most: a timelock's delay before a Safe's owners before a key."""
    return max(needs, key=lambda n: (n.timelock_s or 0, n.threshold, n.kind != "key"), default=Requires(None))


def _state(unit: LiveUnit) -> dict[str, Any]:
    return {name: getattr(unit, name) for name in _SHOWN}


def _unit(unit: UnitWay) -> dict[str, Any]:
    return {
        "unit": unit.moved.name,
        "strategy": unit.strategy,
        "capability": unit.capability,
        "requires": unit.requires.to_json() if unit.requires else None,
        "storage": dict(unit.storage) if unit.storage is not None else None,
    }


def _preconditions(unit: UnitWay) -> Iterator[str]:
    before, after = unit.moved.before, unit.moved.after
    if unit.call is None:
        return
    holder = "beacon" if after.beacon else "implementation slot"
    yield f"{unit.moved.name}: the {holder} of {after.address} holds {after.implementation}"
    yield f"{unit.moved.name}: {before.implementation} has the code it was deployed with"
    if unit.requires is not None and unit.requires.authority is not None:
        yield f"{unit.moved.name}: {unit.requires.authority} may upgrade it"


def _transaction(call: GoBack, need: Requires) -> dict[str, Any]:
    return {
        "unit": call.unit,
        "title": call.title,
        "from": need.authority,
        "to": call.to,
        "value_wei": str(call.value_wei),
        "function": _FUNCTIONS.get(call.data[:4]),
        "data": "0x" + call.data.hex(),
    }


def live_of(name: str, state: Mapping[str, Any]) -> LiveUnit:
    """A unit of a record's ``before`` or ``after``."""
    return LiveUnit(name, **{key: state[key] for key in _SHOWN})


def save_rollback(session: Session, plan: Plan, record: Mapping[str, Any]) -> Path:
    """Write it, beside the records of its version: in the first place that is free, or whose release was never sent."""
    touched = {row.data["plan"] for row in session.rows if row.kind in {"tx.signed", "proposal.made", "tx.final"}}
    number = 1
    while True:
        suffix = "" if number == 1 else f".{number}"
        path = session.state.project.releases / plan.tag / f"{session.state.name}{suffix}.rollback.json"
        held = load_rollback(path)["plan"] if path.exists() else plan.digest
        if held == plan.digest or held not in touched:
            break
        number += 1
    content = pretty(record)
    if not path.exists() or path.read_bytes() != content:
        write_atomic(path, content)
    return path


def load_rollback(path: Path) -> dict[str, Any]:
    """Read a rollback record. Raises ``RollbackRecordInvalid``."""
    try:
        data = read_json(path.read_bytes())
        if data["schema"] != 1 or data["kind"] != KIND:
            raise ValueError("another kind of file, or a newer one")
        str(data["plan"]), dict(data["before"]), str(data["strategy"])
        return dict(data)
    except OSError as error:
        raise RollbackRecordInvalid(
            f"the rollback record cannot be read: {error.strerror}", where=Where(str(path)), remedy="Restore it."
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise RollbackRecordInvalid(
            f"not a rollback record: {error}", where=Where(str(path)), remedy="Restore it from version control."
        ) from error


def find_rollbacks(state: TargetState) -> list[tuple[Path, dict[str, Any]]]:
    """Every rollback record of releases on the target, by path; those of key rotations are another thing."""
    own = re.compile(rf"{re.escape(state.name)}(?:\.\d+)?\.rollback\.json")
    paths = sorted(p for p in state.project.releases.glob("*/*.rollback.json") if own.fullmatch(p.name))
    return [(path, load_rollback(path)) for path in paths]
