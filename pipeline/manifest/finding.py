"""Finding Foundry and Anchor projects below a folder."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.manifest.characters import suspicion
from pipeline.manifest.fields import NAME_PATTERN, path_problem
from pipeline.manifest.reading import MAX_BYTES
from pipeline.manifest.solidity import Contract, contracts_in

__all__ = ["Found", "FoundContract", "find_projects"]

_SKIPPED = frozenset({"node_modules", "lib", "out", "cache", "target", "broadcast", "dist", "build", "artifacts"})
_NOT_RELEASED = frozenset({"test", "tests", "script", "scripts", "mock", "mocks", "interfaces"})
MAX_DEPTH = 4
MAX_SOURCES = 2_000


@dataclass(frozen=True)
class FoundContract:
    """A contract and its source as the compiler will name it."""

    source: str
    contract: Contract


@dataclass(frozen=True)
class Found:
    """What lies below a folder. Roots are relative to it; ``others`` are further projects, not taken."""

    foundry: Path | None
    contracts: tuple[FoundContract, ...]
    anchor: Path | None
    programs: Mapping[str, str]
    others: tuple[Path, ...]


def find_projects(root: Path) -> Found:
    """The Foundry and the Anchor project nearest to ``root``, and what they hold."""
    foundry = sorted(_folders_with(root, "foundry.toml"), key=lambda path: (len(path.parts), path))
    anchor = sorted(_folders_with(root, "Anchor.toml"), key=lambda path: (len(path.parts), path))
    return Found(
        foundry=foundry[0] if foundry else None,
        contracts=tuple(_contracts(root / foundry[0])) if foundry else (),
        anchor=anchor[0] if anchor else None,
        programs=_programs(root / anchor[0]) if anchor else {},
        others=(*foundry[1:], *anchor[1:]),
    )


def _folders_with(root: Path, name: str) -> Iterator[Path]:
    for folder, folders, files in os.walk(root):
        relative = Path(folder).relative_to(root)
        keep = len(relative.parts) < MAX_DEPTH
        folders[:] = sorted(f for f in folders if keep and f not in _SKIPPED and not f.startswith("."))
        if name in files:
            yield relative


def _toml(path: Path) -> dict[str, Any]:
    """The file's data; nothing when it cannot be read: Foundry and Anchor say it better."""
    try:
        with path.open("rb") as file:
            return tomllib.loads(file.read(MAX_BYTES).decode())
    except (OSError, ValueError, RecursionError):
        return {}


def _table(data: Any, *keys: str) -> Mapping[str, Any]:
    for key in keys:
        data = data.get(key) if isinstance(data, Mapping) else None
    return data if isinstance(data, Mapping) else {}


def _contracts(project: Path) -> Iterator[FoundContract]:
    source = _table(_toml(project / "foundry.toml"), "profile", "default").get("src", "src")
    folder = project / source if isinstance(source, str) else project / "src"
    if not folder.resolve().is_relative_to(project.resolve()):
        return
    for path in sorted(folder.rglob("*.sol"))[:MAX_SOURCES]:
        relative = path.relative_to(project)
        parts = {part.casefold() for part in relative.parts[:-1]}
        if parts & (_NOT_RELEASED | _SKIPPED) or re.search(r"\.[ts]\.sol$", path.name) or path.is_symlink():
            continue
        try:
            with path.open("rb") as file:
                text = file.read(MAX_BYTES).decode()
        except (OSError, UnicodeDecodeError):
            continue
        if path_problem(relative.as_posix()) or suspicion(relative.as_posix()):
            continue
        # of two contracts of one name in one file, which the compiler refuses, the last
        for contract in {contract.name: contract for contract in contracts_in(text)}.values():
            yield FoundContract(f"{relative.as_posix()}:{contract.name}", contract)


def _programs(workspace: Path) -> dict[str, str]:
    """Every program of the workspace with its address; with none where clusters differ in it, or nothing names it."""
    programs = _table(_toml(workspace / "Anchor.toml"), "programs")
    found: dict[str, set[str]] = {}
    for cluster in programs:
        for name, address in _table(programs, cluster).items():
            if isinstance(address, str) and re.fullmatch(NAME_PATTERN, name):
                found.setdefault(name, set()).add(address)
    for source in sorted(workspace.glob("programs/*/src/lib.rs")):
        name = source.parents[1].name
        known = {name, name.replace("-", "_"), name.replace("_", "-")} & set(found)
        if not known and re.fullmatch(NAME_PATTERN, name) and (workspace / "programs" / name).is_dir():
            found[name.replace("-", "_")] = set()
    return {name: next(iter(named)) if len(named) == 1 else "" for name, named in found.items()}
