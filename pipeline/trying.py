"""``ship build`` and ``ship test``: the first steps of a release by themselves. No chain is asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chains.evm.artifacts import Artifact
from pipeline.gates.base import GateResult
from pipeline.gates.runner import GatesFailed
from pipeline.making import Made
from pipeline.manifest.project import Project, load_project
from pipeline.manifest.target import Target, default_target, list_targets, load_target
from pipeline.step import Runner
from pipeline.steps.build import Build
from pipeline.steps.gates import Judge
from pipeline.ui.base import Ui
from pipeline.ui.table import Cell, Row, table

__all__ = ["Tested", "build_document", "build_project", "render_build", "render_tested", "test_project"]

_RUNTIME_LIMIT = 24_576
"""EIP-170: the most runtime code a contract may have, in bytes."""


@dataclass(frozen=True)
class Tested:
    """A bundle and what the gates said of it. ``failure`` is what to raise when one did not pass."""

    built: Made
    results: tuple[GateResult, ...]
    failure: GatesFailed | None

    def to_json(self) -> dict[str, Any]:
        return {
            "schema": 1,
            "kind": "contract-ship/test",
            "bundle": self.built.bundle.digest,
            "passed": self.failure is None,
            "gates": [result.to_json() for result in self.results],
        }


def _targets(project: Project, name: str | None) -> tuple[Target, ...]:
    """The named target, or all: the bundle holds what any of them deploys."""
    names = [name] if name is not None else list(list_targets(project)) or [default_target(project)]
    return tuple(load_target(project, each) for each in names)


def build_project(root: Path, target: str | None, ui: Ui) -> tuple[Project, Made]:
    """Build the release bundle, or find it built already."""
    project = load_project(root)
    return project, Runner(ui)(Build(project, _targets(project, target), ui))


def test_project(root: Path, target: str | None, ui: Ui, *, again: bool) -> Tested:
    """Build, then run every gate. ``again``: also those that passed on these very bytes before."""
    project, built = build_project(root, target, ui)
    try:
        return Tested(built, Runner(ui)(Judge(project, built, ui, reuse=not again)), None)
    except GatesFailed as failure:
        return Tested(built, failure.results, failure)


def render_tested(tested: Tested) -> str:
    """The last line of a test run that passed."""
    count = len(tested.results)
    bundle = tested.built.bundle.digest[:12]
    if not count:
        return f"ship.toml asks for no gates, so bundle {bundle} was not tested. Add [gates] with `tests = {{}}`."
    return f"{count} gate{'s' if count != 1 else ''} passed on bundle {bundle}"


# -- showing ---------------------------------------------------------------------------------------------------------


def _artifacts(built: Made) -> Iterator[Artifact]:
    for source in built.bundle.sources:
        yield built.bundle.artifact(source)


def build_document(project: Project, built: Made) -> Mapping[str, Any]:
    """The document of ``ship build --json``; sizes are bytes."""
    return {
        "schema": 1,
        "kind": "contract-ship/build",
        "project": project.name,
        "version": project.version,
        "bundle": built.bundle.digest,
        "path": _place(project, built),
        "compiled": built.fresh,
        "toolchain": dict(built.bundle.toolchain),
        "artifacts": [
            {
                "source": artifact.source,
                "kind": artifact.kind,
                "compiler": artifact.compiler,
                "creation_bytes": len(artifact.creation_code),
                "runtime_bytes": len(artifact.runtime_code),
            }
            for artifact in _artifacts(built)
        ],
        **({"programs": _programs(built)} if built.bundle.programs else {}),
    }


def _programs(built: Made) -> list[dict[str, Any]]:
    from hashlib import sha256

    listed = []
    for name in built.bundle.programs:
        elf = built.bundle.program(name, "so") or b""
        idl = built.bundle.program(name, "idl.json") is not None
        listed.append({"name": name, "bytes": len(elf), "sha256": sha256(elf).hexdigest(), "idl": idl})
    return listed


def _place(project: Project, built: Made) -> str:
    folder = built.bundle.folder
    return folder.relative_to(project.root).as_posix() if folder.is_relative_to(project.root) else str(folder)


def render_build(project: Project, built: Made) -> list[str]:
    """The artifacts with their sizes, the digest, and where the bundle lies."""
    heads = ("contract", "compiler", "init code", "runtime code", "of the limit", "source")
    rows: list[Row] = [tuple(Cell(head, bold=True) for head in heads)]
    artifacts = list(_artifacts(built))
    for artifact in artifacts:
        size = len(artifact.runtime_code)
        share = Cell(f"{size * 100 // _RUNTIME_LIMIT:>11} %", "red" if size > _RUNTIME_LIMIT else None)
        name = f"{artifact.name} (library)" if artifact.kind == "library" else artifact.name
        sizes = f"{len(artifact.creation_code):>9,}", f"{size:>12,}"
        rows.append((name, artifact.compiler.partition("+")[0], *sizes, share, artifact.path))
    programs: list[Row] = [tuple(Cell(head, bold=True) for head in ("program", "bytes", "sha256", "IDL"))]
    programs += [
        (one["name"], f"{one['bytes']:,}", one["sha256"], "yes" if one["idl"] else "no") for one in _programs(built)
    ]
    tables = [table(shown, indent=0) for shown in (rows, programs) if len(shown) > 1]
    return [
        *(line for number, lines in enumerate(tables) for line in ([""] if number else []) + lines),
        "",
        f"bundle  {built.bundle.digest}",
        f"in      {_place(project, built)}",
    ]
