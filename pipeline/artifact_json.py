"""The form an artifact has in a bundle: JSON, code as 0x-hex."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chains.evm.artifacts import Artifact, ByteRange

__all__ = ["artifact_from_json", "artifact_to_json"]

_Places = Mapping[str, tuple[ByteRange, ...]]


def _out(places: _Places) -> dict[str, list[dict[str, int]]]:
    return {name: [{"start": at.start, "length": at.length} for at in found] for name, found in places.items()}


def _in(places: Mapping[str, Any]) -> dict[str, tuple[ByteRange, ...]]:
    return {name: tuple(ByteRange(at["start"], at["length"]) for at in found) for name, found in places.items()}


def _copied(facts: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if facts is None else dict(facts)


def artifact_to_json(artifact: Artifact) -> dict[str, Any]:
    return {
        "schema": 1,
        "source": artifact.source,
        "kind": artifact.kind,
        "abi": [dict(entry) for entry in artifact.abi],
        "creation_code": "0x" + artifact.creation_code.hex(),
        "runtime_code": "0x" + artifact.runtime_code.hex(),
        "creation_links": _out(artifact.creation_links),
        "runtime_links": _out(artifact.runtime_links),
        "immutables": _out(artifact.immutables),
        "storage_layout": dict(artifact.storage_layout) if artifact.storage_layout is not None else None,
        "compiler": artifact.compiler,
        "settings": dict(artifact.settings),
        "input_sha256": artifact.input_sha256,
        "storage_owners": None if artifact.storage_owners is None else list(artifact.storage_owners),
        "namespaces": _copied(artifact.namespaces),
        "named_types": _copied(artifact.named_types),
        "initializers": _copied(artifact.initializers),
    }


def artifact_from_json(data: Mapping[str, Any]) -> Artifact:
    """Raises ``KeyError`` and ``ValueError`` on anything ``artifact_to_json`` did not write."""
    return Artifact(
        source=data["source"],
        kind=data["kind"],
        abi=tuple(data["abi"]),
        creation_code=bytes.fromhex(data["creation_code"][2:]),
        runtime_code=bytes.fromhex(data["runtime_code"][2:]),
        creation_links=_in(data["creation_links"]),
        runtime_links=_in(data["runtime_links"]),
        immutables=_in(data["immutables"]),
        storage_layout=data["storage_layout"],
        compiler=data["compiler"],
        settings=data["settings"],
        input_sha256=data["input_sha256"],
        # Bundles from before ship looked for them do not have these.
        storage_owners=None if data.get("storage_owners") is None else tuple(data["storage_owners"]),
        namespaces=data.get("namespaces"),
        named_types=data.get("named_types"),
        initializers=data.get("initializers"),
    )
