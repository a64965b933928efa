"""Building the bundle: the project's sources, compiled once, named by digest."""

from __future__ import annotations

from dataclasses import dataclass

from chains.base import Progress
from pipeline.making import Made, make_bundle
from pipeline.manifest.project import Project
from pipeline.manifest.target import Target

__all__ = ["Build"]


@dataclass(frozen=True)
class Build:
    """A release build, or the bundle of an earlier one with the same inputs."""

    project: Project
    targets: tuple[Target, ...]
    progress: Progress
    title: str = "building"

    def run(self) -> Made:
        return make_bundle(self.project, self.targets, self.progress)

    def summary(self, result: Made) -> str:
        holds = []
        if result.bundle.sources or not result.bundle.programs:
            how = "compiled now" if result.fresh else "nothing changed since it was compiled"
            holds.append(f"{len(result.bundle.sources)} contracts, {how}")
        if result.bundle.programs:
            count = len(result.bundle.programs)
            by = result.bundle.toolchain["programs"]
            holds.append(f"{count} program{'s' if count != 1 else ''}, {'built before' if by == 'prebuilt' else by}")
        return f"bundle {result.bundle.digest[:12]}, {'; '.join(holds)}"
