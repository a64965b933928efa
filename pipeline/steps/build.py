"""Building the bundle: the project's sources, compiled once, named by digest."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.bundle import Bundle
from pipeline.bundling import build_bundle
from pipeline.manifest.project import Project
from pipeline.manifest.target import Target
from pipeline.manifest.units import evm_units

__all__ = ["Build"]


@dataclass(frozen=True)
class Build:
    """A release build, or the bundle of an earlier one with the same inputs."""

    project: Project
    targets: tuple[Target, ...]
    title: str = "building"

    def run(self) -> Bundle:
        wanted: set[str] = set()
        for target in self.targets:
            wanted |= {unit.source for unit in evm_units(self.project, target).contracts}
        return build_bundle(self.project, sorted(wanted))

    def summary(self, result: Bundle) -> str:
        return f"bundle {result.digest[:12]}, {len(result.sources)} contracts"
