"""Whether the tests ran against the bytes of the bundle.

forge's cache (``solidity-files-cache.json``) says which artifact and which compiler run belongs to which contract:
``files[path].artifacts[name][version][profile] = {path, build_id}``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chains.canonical import sha256_hex
from chains.evm.build_info import zeroed
from chains.evm.foundry import Workspace
from pipeline.bundle import Bundle
from pipeline.gates.base import GateError

__all__ = ["TestedBytes", "compare_tested"]


@dataclass(frozen=True)
class TestedBytes:
    """``differing``: contracts whose tested code is not the bundle's. ``compared``: how many were held against it.

    ``sources`` are the texts of everything the tests were compiled from, by name.
    """

    __test__ = False

    compared: int
    differing: tuple[str, ...]
    sources: Mapping[str, str]

    @property
    def read(self) -> dict[str, str]:
        return {name: sha256_hex(text.encode()) for name, text in self.sources.items()}


@dataclass(frozen=True)
class _Made:
    source: str
    version: str
    artifact: Path
    build_id: str


def compare_tested(workspace: Workspace, bundle: Bundle) -> TestedBytes:
    """Hold what ``forge test`` compiled against the bundle. Raises ``GateError`` when forge's output cannot be read."""
    try:
        return _compare(workspace, bundle)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise GateError(
            f"what forge compiled for the tests cannot be read: {type(error).__name__}: {error}",
            remedy="Remove .ship/build and run again.",
        ) from error


def _made(workspace: Workspace) -> Iterator[_Made]:
    cache = json.loads((workspace.paths.cache / "solidity-files-cache.json").read_bytes())
    for path, file in cache["files"].items():
        for name, versions in file["artifacts"].items():
            for version, profiles in versions.items():
                for entry in profiles.values():
                    artifact = workspace.paths.out / entry["path"]
                    yield _Made(f"{path}:{name}", version.partition("+")[0], artifact, entry["build_id"])


def _compare(workspace: Workspace, bundle: Bundle) -> TestedBytes:
    made = list(_made(workspace))
    known = set(bundle.sources)
    differing: set[str] = set()
    compared: set[str] = set()
    for one in made:
        if one.source in known:
            compared.add(one.source)
            data = json.loads(one.artifact.read_bytes())
            if not _same(data["bytecode"]["object"], bundle, one.source):
                differing.add(one.source)
    # The code that tests create with `new` was compiled along with them, and lies in the build-info of that run.
    sources: dict[str, str] = {}
    for build_id in sorted({one.build_id for one in made}):
        info = json.loads((workspace.paths.build_info / f"{build_id}.json").read_bytes())
        sources.update({name: source["content"] for name, source in info["input"]["sources"].items()})
        for source, code in _codes(info["output"]):
            if source in known and code and not _same(code, bundle, source):
                differing.add(source)
    return TestedBytes(len(compared), tuple(sorted(differing)), sources)


def _codes(output: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for path, contracts in output.get("contracts", {}).items():
        for name, contract in contracts.items():
            yield f"{path}:{name}", (contract.get("evm") or {}).get("bytecode", {}).get("object") or ""


def _same(code: str, bundle: Bundle, source: str) -> bool:
    artifact = bundle.artifact(source)
    if len(code.removeprefix("0x")) != 2 * len(artifact.creation_code):
        return False
    return zeroed(code, artifact.creation_links, source) == artifact.creation_code
