"""The release bundle of a project, whole: its contracts as compiled, and its Solana programs.

It holds all of a project whatever target is released to, so that one version is one bundle.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from chains.base import Progress
from pipeline.building import Built, Recipe, build_bundle
from pipeline.bundle import Bundle, add_programs
from pipeline.manifest.project import Project
from pipeline.manifest.target import Target
from pipeline.manifest.units import evm_units
from pipeline.state.local import ProjectState

__all__ = ["Made", "make_bundle", "program_files", "recipe", "with_programs"]


@dataclass(frozen=True)
class Made:
    """The bundle; ``compiled`` is the build of its contracts, ``None`` for a project without. ``fresh``: compiled now."""

    bundle: Bundle
    compiled: Built | None

    @property
    def fresh(self) -> bool:
        return self.compiled is None or self.compiled.fresh


def recipe(project: Project, targets: Iterable[Target]) -> Recipe:
    """What to compile: every source the project's contracts and these targets name, once."""
    wanted: dict[str, None] = {unit.source: None for unit in project.spec.contracts.values()}
    for target in targets:
        if target.chain.kind == "evm":
            units = evm_units(project, target)
            wanted |= {unit.source: None for unit in units.contracts} | {unit.source: None for unit in units.scripts}
    root: Path = project.evm_root
    return Recipe(project.name, root, ProjectState(project.root).work, tuple(sorted(wanted)))


def make_bundle(project: Project, targets: Iterable[Target], progress: Progress) -> Made:
    """Build what is not built yet. Raises what the compilers' modules and ``chains.solana.workspace`` raise."""
    wanted = recipe(project, targets)
    compiled = build_bundle(wanted, progress=progress) if _has_contracts(project, wanted) else None
    if not project.spec.programs:
        assert compiled is not None
        return Made(compiled.bundle, compiled)
    from chains.solana.compiling import compile_programs  # start-up: projects without programs need none of it

    solana = project.solana
    built_by = compile_programs(project.root / solana.root, solana.build, progress=progress)
    contracts = compiled.bundle if compiled else None
    return Made(with_programs(project, contracts, built_by), compiled)


def _has_contracts(project: Project, wanted: Recipe) -> bool:
    """A project with programs may have no contracts at all."""
    return bool(wanted.wanted) or not project.spec.programs


def with_programs(project: Project, contracts: Bundle | None, built_by: str) -> Bundle:
    """The whole bundle, from programs as they lie in the workspace."""
    bundles = ProjectState(project.root).bundles
    return add_programs(bundles, contracts, project=project.name, built_by=built_by, programs=program_files(project))


def program_files(project: Project) -> Mapping[str, Mapping[str, bytes]]:
    """Every program's files by suffix."""
    from chains.solana.workspace import read_program
    from pipeline.manifest.program_units import program_paths

    return {name: read_program(program_paths(project, name, unit)) for name, unit in project.spec.programs.items()}
