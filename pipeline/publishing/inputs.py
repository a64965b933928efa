"""The compiler inputs a service is given: the contract's own sources, and for a second try all of the bundle's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from chains.canonical import canonical
from chains.evm.address import checksum
from chains.evm.artifacts import Artifact
from pipeline.bundle import Bundle

__all__ = ["own_input", "whole_input"]


def own_input(bundle: Bundle, artifact: Artifact, libraries: Mapping[str, bytes]) -> bytes:
    """The smallest standard JSON that gives ``artifact``, its ``libraries`` (``path:Name`` to 20 bytes) written in."""
    document = json.loads(bundle.input(artifact))
    return canonical(_linked(document, libraries)) if libraries else canonical(document)


def whole_input(bundle: Bundle, artifact: Artifact, libraries: Mapping[str, bytes]) -> bytes | None:
    """The same with every source of the bundle that was compiled alike; ``None`` when that is no more."""
    document = json.loads(bundle.input(artifact))
    sources: dict[str, Any] = dict(document["sources"])
    for other in (bundle.artifact(source) for source in bundle.sources):
        if (other.compiler, other.settings) != (artifact.compiler, artifact.settings):
            continue
        sources |= json.loads(bundle.input(other))["sources"]
    if len(sources) == len(document["sources"]):
        return None
    return canonical(_linked({**document, "sources": sources}, libraries))


def _linked(document: dict[str, Any], libraries: Mapping[str, bytes]) -> dict[str, Any]:
    settings = dict(document["settings"])
    given: dict[str, dict[str, str]] = {path: dict(names) for path, names in (settings.get("libraries") or {}).items()}
    for source, address in libraries.items():
        path, _, name = source.rpartition(":")
        given.setdefault(path, {})[name] = checksum(address)
    return {**document, "settings": {**settings, "libraries": given}} if given else document
