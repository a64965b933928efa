"""Building the bundle: the project's sources, compiled once, named by digest."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from chains.base import Progress
from pipeline.building import Built, Recipe, build_bundle
from pipeline.manifest.project import Project
from pipeline.manifest.target import Target
from pipeline.manifest.units import evm_units
from pipeline.state.local import ProjectState

__all__ = ["Build", "recipe"]


def recipe(project: Project, targets: Iterable[Target]) -> Recipe:
    """What to build for these targets: every source one of their units names, once."""
    wanted: dict[str, None] = {}
    for target in targets:
        units = evm_units(project, target)
        wanted |= {unit.source: None for unit in units.contracts} | {unit.source: None for unit in units.scripts}
    root: Path = project.evm_root
    return Recipe(project.name, root, ProjectState(project.root).work, tuple(sorted(wanted)))


@dataclass(frozen=True)
class Build:
    """A release build, or the bundle of an earlier one with the same inputs."""

    project: Project
    targets: tuple[Target, ...]
    progress: Progress
    title: str = "building"

    def run(self) -> Built:
        return build_bundle(recipe(self.project, self.targets), progress=self.progress)

    def summary(self, result: Built) -> str:
        how = "compiled now" if result.fresh else "nothing changed since it was compiled"
        return f"bundle {result.bundle.digest[:12]}, {len(result.bundle.sources)} contracts, {how}"
