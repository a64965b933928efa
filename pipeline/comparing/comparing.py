"""``ship diff``: two versions' records and bundles, target by target. Pure over what was read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from chains.canonical import sha256_hex
from chains.compatibility import Change
from chains.evm.abi_changes import abi_changes
from chains.evm.artifacts import Artifact
from chains.evm.layout import StorageFacts, compare_storage
from chains.solana.idl_changes import idl_changes
from pipeline.bundle import Bundle
from pipeline.versioning.bases import recorded_units
from pipeline.versioning.floor import UnitFacts

__all__ = ["Side", "compare"]

_PARTS = ("address", "implementation", "beacon", "admin", "program", "program_data", "buffer")
_AUTHORITIES = ("owner()", "admin()", "getOwner()", "pendingOwner()", "authority()", "defaultAdmin()")


@dataclass(frozen=True)
class Side:
    """A release on a target. ``path`` is the record's, relative to the project; ``bundle`` is ``None`` where it is not here."""

    path: str
    record: Mapping[str, Any]
    bundle: Bundle | None


def compare(target: str, old: Side, new: Side) -> dict[str, Any]:
    """One target of the document of ``ship diff --json``."""
    left_out = [
        f"code, interfaces and storage: the bundle {side.record['bundle'][:12]} of {side.record['tag']} is not in .ship/bundles"
        for side in (old, new)
        if side.bundle is None
    ]
    found: dict[str, Any] = {"contracts": [], "abi": [], "storage": [], "programs": [], "idl": []}
    if old.bundle is not None and new.bundle is not None:
        _contracts(old, new, old.bundle, new.bundle, found, left_out)
        _programs(old.bundle, new.bundle, found, left_out)
    return {
        "target": target,
        "from": _side(old),
        "to": _side(new),
        **found,
        "addresses": list(_addresses(old.record, new.record)),
        "authorities": list(_authorities(old.record, new.record)),
        "left_out": list(dict.fromkeys(left_out)),
    }


def _side(side: Side) -> dict[str, Any]:
    record = side.record
    return {"tag": record["tag"], "record": side.path, "bundle": record["bundle"], "commit": record["commit"]}


def _artifact(bundle: Bundle, unit: UnitFacts | None) -> Artifact | None:
    return bundle.artifact(unit.source) if unit is not None else None


def _contracts(
    old: Side, new: Side, old_bundle: Bundle, new_bundle: Bundle, found: dict[str, Any], left_out: list[str]
) -> None:
    units = recorded_units(old.record), recorded_units(new.record)
    for name in sorted({*units[0], *units[1]}):
        before, after = _artifact(old_bundle, units[0].get(name)), _artifact(new_bundle, units[1].get(name))
        sizes = _sizes(before), _sizes(after)
        if sizes[0] != sizes[1]:
            change = "added" if before is None else "removed" if after is None else "changed"
            found["contracts"].append({"unit": name, "change": change, "before": sizes[0], "after": sizes[1]})
        if before is None or after is None:
            continue
        found["abi"] += _changes(name, abi_changes(before.abi, after.abi))
        facts = StorageFacts.of(before), StorageFacts.of(after)
        if facts[0] is not None and facts[1] is not None:
            storage = compare_storage(facts[0], facts[1])
            found["storage"] += [{"unit": name, "where": f.where, "text": f.text} for f in storage]
        else:
            left_out.append(f"the storage layout of {name}: its compiler gives none")


def _sizes(artifact: Artifact | None) -> dict[str, Any] | None:
    if artifact is None:
        return None
    return {
        "creation_bytes": len(artifact.creation_code),
        "runtime_bytes": len(artifact.runtime_code),
        "sha256": sha256_hex(artifact.creation_code),
    }


def _changes(name: str, changes: Iterator[Change]) -> Iterator[dict[str, Any]]:
    for change in changes:
        yield {"unit": name, "effect": change.effect, "where": change.where, "text": change.text}


def _programs(old: Bundle, new: Bundle, found: dict[str, Any], left_out: list[str]) -> None:
    for name in sorted({*old.programs, *new.programs}):
        sizes = _program(old, name), _program(new, name)
        if sizes[0] != sizes[1]:
            change = "added" if sizes[0] is None else "removed" if sizes[1] is None else "changed"
            found["programs"].append({"program": name, "change": change, "before": sizes[0], "after": sizes[1]})
        idls = old.program(name, "idl.json"), new.program(name, "idl.json")
        if idls[0] is not None and idls[1] is not None:
            found["idl"] += _changes(name, idl_changes(idls[0], idls[1]))
        elif name in old.programs and name in new.programs:
            left_out.append(f"the interface of {name}: not both bundles have its IDL")


def _program(bundle: Bundle, name: str) -> dict[str, Any] | None:
    data = bundle.program(name, "so")
    return {"bytes": len(data), "sha256": sha256_hex(data)} if data is not None else None


def _addresses(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    units = old.get("units", {}), new.get("units", {})
    for name in sorted({*units[0], *units[1]}):
        for part in _PARTS:
            before, after = units[0].get(name, {}).get(part), units[1].get(name, {}).get(part)
            if before != after:
                yield {"unit": name, "part": part, "before": before, "after": after}


def _authorities(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Who may do what, as far as records tell: signers, upgrade authorities, and owners that checks read."""
    before, after = dict(_held(old)), dict(_held(new))
    for what in sorted({*before, *after}):
        if before.get(what) != after.get(what):
            yield {"what": what, "before": before.get(what), "after": after.get(what)}


def _held(record: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for role in ("signer", "payer"):
        if record.get(role):
            yield role, str(record[role])
    for name, unit in record.get("units", {}).items():
        for part in ("admin", "authority"):
            if unit.get(part):
                yield f"{name} {part}", str(unit[part])
    names = {
        str(unit["address"]).lower(): name for name, unit in record.get("units", {}).items() if unit.get("address")
    }
    for check in record.get("checks", ()):
        call, to = str(check.get("call", "")), str(check.get("to", ""))
        if call.startswith(_AUTHORITIES):
            yield f"{names.get(to.lower(), to)} {call}", str(check.get("found"))
