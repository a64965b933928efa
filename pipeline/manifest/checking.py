"""``ship check``: every manifest of a project read and held against every other, nothing run and nothing asked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from chains.errors import Where
from pipeline.manifest.errors import ManifestInvalid, UnknownTarget
from pipeline.manifest.gates import selected_gates
from pipeline.manifest.project import PROJECT_FILE, Project, load_project
from pipeline.manifest.target import TARGETS_FOLDER, default_target, list_targets, load_target
from pipeline.manifest.units import unit_problems
from pipeline.versioning.files import version_file_problems

__all__ = ["CheckReport", "FileReport", "check_project"]


@dataclass(frozen=True)
class FileReport:
    """One file: what it holds, what is wrong with it, and what this version of ship cannot do with it yet."""

    file: str
    holds: str
    problems: tuple[ManifestInvalid, ...] = ()
    not_yet: tuple[ManifestInvalid, ...] = ()


@dataclass(frozen=True)
class CheckReport:
    """Every file, in reading order."""

    files: tuple[FileReport, ...]

    @property
    def problems(self) -> tuple[ManifestInvalid, ...]:
        return tuple(problem for file in self.files for problem in file.problems)

    def raise_problems(self) -> None:
        """Raise the first problem with all others on it; do nothing when there are none."""
        if self.problems:
            raise self.problems[0].leading(self.problems[1:])


def check_project(root: Path, target: str | None = None) -> CheckReport:
    """Check ``ship.toml`` and all targets, or the one called ``target``. Problems are in the report, not raised."""
    try:
        project = load_project(root)
    except ManifestInvalid as problem:
        return CheckReport((FileReport(PROJECT_FILE, "", problem.problems),))
    gates: tuple[ManifestInvalid, ...] = ()
    try:
        selected_gates(project)
    except ManifestInvalid as problem:
        gates = problem.problems
    holds = f"{project.name} {project.version}, {_counts(project)}"
    first = FileReport(PROJECT_FILE, holds, tuple(version_file_problems(project)), not_yet=gates)
    names = [target] if target is not None else list(list_targets(project)) or [default_target(project)]
    return CheckReport((first, *(_check_target(project, name) for name in names)))


def _counts(project: Project) -> str:
    spec = project.spec
    units = {
        "contracts": spec.contracts,
        "calls": spec.all_calls,
        "scripts": spec.scripts,
        "programs": spec.programs,
        "checks": spec.all_checks,
    }
    counted = [(len(found), kind) for kind, found in units.items()]
    return ", ".join(f"{n} {kind[:-1] if n == 1 else kind}" for n, kind in counted if n) or "no units"


def _check_target(project: Project, name: str) -> FileReport:
    file = f"{TARGETS_FOLDER}/{name}.toml"
    try:
        target = load_target(project, name)
    except UnknownTarget as problem:
        problem.where = problem.where or Where(file)
        return FileReport(file, "", problem.problems)
    except ManifestInvalid as problem:
        return FileReport(file, "", problem.problems)
    identity = f" ({target.chain.chain_id})" if target.chain.chain_id else ""
    return FileReport(target.file, f"{target.chain.title}{identity}", tuple(unit_problems(project, target)))
