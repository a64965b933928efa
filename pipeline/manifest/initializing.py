"""``ship init``: manifests for the projects found in a folder, checked before they are called done."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from chains.chain_data import chain_facts
from chains.errors import Where
from chains.files import write_atomic
from pipeline.manifest.builtins import builtin_names
from pipeline.manifest.checking import check_project
from pipeline.manifest.errors import NothingToInit, UnknownBuiltin, WouldOverwrite, did_you_mean
from pipeline.manifest.finding import Found, find_projects
from pipeline.manifest.project import PROJECT_FILE
from pipeline.manifest.proposing import Proposal, project_text, propose, target_text
from pipeline.manifest.schema import project_schema, target_schema
from pipeline.manifest.target import TARGETS_FOLDER
from pipeline.manifest.versions import is_semver

__all__ = ["Initialized", "init_project"]

SCHEMA_FOLDER = ".schema"


@dataclass(frozen=True)
class Initialized:
    """The files written, relative to the root, and what the person should know."""

    written: tuple[str, ...]
    notes: tuple[str, ...]
    first: str = "local"
    """The target to begin with."""


def init_project(root: Path, chains: Sequence[str] = ()) -> Initialized:
    """Write ``ship.toml``, a local target, and one for each of ``chains``. Writes nothing if any is there already.

    Raises ``NothingToInit``, ``WouldOverwrite``, ``UnknownBuiltin``.
    """
    root = root.resolve()
    for name in chains:
        if name not in builtin_names():
            raise UnknownBuiltin(
                f"There is no built-in manifest for this chain.{did_you_mean(name, builtin_names())}",
                remedy=f"Use one of: {', '.join(builtin_names())}.",
            )
    found = find_projects(root)
    if found.foundry is None and found.anchor is None:
        raise NothingToInit(
            f"No foundry.toml and no Anchor.toml was found in {root}.",
            remedy="Run it in a Foundry or Anchor project, or name its folder with -C.",
        )
    texts = _texts(root, found, chains)
    _refuse_overwriting(root, texts)
    for file, text in texts.items():
        write_atomic(root / file, text.encode())
    check_project(root).raise_problems()
    return Initialized(
        tuple(texts), tuple(_notes(root, found)), "local" if found.foundry is not None else "solana-local"
    )


def _texts(root: Path, found: Found, chains: Sequence[str]) -> dict[str, str]:
    units = propose(found.contracts)
    schemas = f"{TARGETS_FOLDER}/{SCHEMA_FOLDER}"
    texts = {PROJECT_FILE: _project(root, found, units, f"./{schemas}/ship.schema.json")}
    local = (["local"] if found.foundry is not None else []) + (["solana-local"] if found.anchor is not None else [])
    for name in dict.fromkeys([*local, *chains]):
        facts = chain_facts(name)
        texts[f"{TARGETS_FOLDER}/{name}.toml"] = target_text(
            schema=f"./{SCHEMA_FOLDER}/target.schema.json",
            builtin=name,
            params=units.params if facts.kind == "evm" else {},
            local=facts.local,
            solana=facts.kind == "solana",
        )
    texts[f"{schemas}/ship.schema.json"] = project_schema()
    texts[f"{schemas}/target.schema.json"] = target_schema()
    return texts


def _refuse_overwriting(root: Path, texts: dict[str, str]) -> None:
    for file in texts:
        path = root / file
        if (path.exists() or path.is_symlink()) and SCHEMA_FOLDER not in file:
            raise WouldOverwrite(
                f"{file} is there already; nothing was written.",
                remedy="Change it by hand, or move it away first.",
                done="Nothing was written.",
                where=Where(file),
            )


def _project(root: Path, found: Found, units: Proposal, schema: str) -> str:
    package = _package(root)
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", str(package.get("name") or root.name)).strip("-_0123456789")[:64]
    from_package = is_semver(package.get("version"))
    return project_text(
        schema=schema,
        name=name or "project",
        version='version-from = "package.json"' if from_package else 'version = "0.1.0"',
        changelog=(root / "CHANGELOG.md").is_file(),
        evm_root=found.foundry.as_posix() if found.foundry is not None else None,
        units=units,
        anchor_root=found.anchor.as_posix() if found.anchor is not None else None,
        programs=found.programs,
        baseline=(root / "slither.baseline.json").is_file(),
    )


def _package(root: Path) -> dict[str, object]:
    try:
        data = json.loads((root / "package.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def _notes(root: Path, found: Found) -> list[str]:
    notes = [f"{path.as_posix()} holds a further project, which was not taken" for path in found.others]
    if found.foundry is not None and not found.contracts:
        notes.append("no contract was found in the sources: add [contracts.NAME] tables to ship.toml")
    if found.anchor is not None and not found.programs:
        notes.append("no program was found in the Anchor workspace: add [programs.NAME] tables to ship.toml")
    ignored = root / ".gitignore"
    if not ignored.is_file() or ".ship" not in ignored.read_text(encoding="utf-8", errors="replace"):
        notes.append("add .ship/ to .gitignore: it is ship's working folder")
    return notes
