"""The version promises no more than its bytes keep: held against the release before, fetched where it is not here."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.bundle import Bundle, load_bundle
from pipeline.release.work import Work
from pipeline.state.local import ProjectState
from pipeline.versioning.deciding import refuse_small_bump
from pipeline.versioning.errors import BaseMissing

__all__ = ["HoldingVersion"]


@dataclass(frozen=True)
class HoldingVersion:
    """Raises ``SmallBump``, and ``BaseMissing`` where GitHub does not have the earlier release either."""

    work: Work
    title: str = "holding the version against what changed"

    def run(self) -> int:
        materials = self.work.materials
        bundles = ProjectState(materials.project.root).bundles
        digests = dict.fromkeys(str(recorded.record["bundle"]) for recorded in materials.records)
        for digest in digests:
            self._hold(load_bundle(bundles, digest))
        return len(digests)

    def _hold(self, bundle: Bundle) -> None:
        project = self.work.materials.project
        try:
            refuse_small_bump(project, bundle)
        except BaseMissing as error:
            if error.tag is None or not self._fetched(error.tag):
                raise
            refuse_small_bump(project, bundle)

    def _fetched(self, tag: str) -> bool:
        """Whether the release's bundles could be had from GitHub; each is held against its digest when it is placed."""
        from pipeline.released.contents import read_contents  # a fresh checkout alone lacks them
        from pipeline.released.errors import ReleaseMissing
        from pipeline.released.fetching import fetch_package

        work = self.work
        try:
            package = fetch_package(work.repository, tag, work.ui)
        except ReleaseMissing:
            return False
        read_contents(package, ProjectState(work.materials.project.root).bundles)
        return True

    def summary(self, result: int) -> str:
        return f"{self.work.materials.version} is enough"
