"""``ship release``, whole: the steps in their order, and what came of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from chains.base import Clock, SystemClock
from pipeline.github.access import find_access
from pipeline.github.client import Client
from pipeline.github.place import find_place
from pipeline.github.repository import Repository
from pipeline.lock import locked
from pipeline.manifest.project import load_project
from pipeline.release.assets import File, make_files
from pipeline.release.bumping import HoldingVersion
from pipeline.release.deployments import Deploying
from pipeline.release.drafting import Drafting
from pipeline.release.git_work import GitWork
from pipeline.release.materials import Materials, gather_materials
from pipeline.release.notes import release_notes
from pipeline.release.publishing import Comparing, Publishing
from pipeline.release.remote_checks import RequiredChecks, Rights
from pipeline.release.signing import ReleaseKey, Signing
from pipeline.release.tagging import Tagging
from pipeline.release.uploading import Uploading
from pipeline.release.work import Deed, Work
from pipeline.state.local import ProjectState
from pipeline.step import Runner, Skip
from pipeline.ui.base import Ui

__all__ = ["ReleaseOutcome", "release_project"]


@dataclass(frozen=True)
class ReleaseOutcome:
    """What is on GitHub now, and what this run did for it."""

    state: Literal["published", "draft", "already", "dry-run"]
    repository: str
    materials: Materials
    files: Sequence[File]
    url: str | None
    deeds: Sequence[Deed]

    def to_json(self) -> dict[str, Any]:
        return {
            "schema": 1,
            "kind": "contract-ship/release",
            "state": self.state,
            "repository": self.repository,
            "tag": self.materials.tag,
            "commit": self.materials.commit,
            "prerelease": self.materials.prerelease,
            "url": self.url,
            "targets": [recorded.target for recorded in self.materials.records],
            "assets": [{"name": f.name, "size": len(f.data), "sha256": f.sha256} for f in self.files],
            "deeds": [deed.to_json() for deed in self.deeds],
        }


@dataclass(frozen=True)
class Gathering:
    """The local half of the preflight, and every byte that will be published."""

    root: Path
    version: str | None = None
    title: str = "checking what is released"

    def run(self) -> tuple[Materials, tuple[File, ...]]:
        materials = gather_materials(load_project(self.root), self.version)
        return materials, make_files(materials)

    def summary(self, result: tuple[Materials, tuple[File, ...]]) -> str:
        materials, files = result
        targets = ", ".join(recorded.target for recorded in materials.records)
        return f"{materials.tag} of commit {materials.commit[:12]} on {targets}, {len(files)} assets"


def release_project(
    root: Path,
    ui: Ui,
    *,
    draft: bool,
    dry: bool,
    clock: Clock | None = None,
    version: str | None = None,
    key: ReleaseKey | None = None,
) -> ReleaseOutcome:
    """Everything that is there already is left as it is, so the same command goes on after any interruption.

    ``version``: what a candidate was promoted to. ``key`` signs, in place of the one under [release].
    """
    state = ProjectState(root)
    with locked(state.work / "locks" / "github-release.lock", "ship release"):
        step = Runner(ui)
        materials, files = step(Gathering(root, version))
        spec = materials.project.spec
        place = find_place(root, spec.github, spec.release.remote)
        auth, found = find_access(root, spec.github, place)
        ui.note(f"{place.repository} at {place.api_url}, as {found}")
        work = Work(
            materials=materials,
            files=files,
            notes=release_notes(materials),
            repository=Repository(Client(place.api_url, auth, clock=clock), place.repository),
            git=GitWork(root),
            clock=clock or SystemClock(),
            ui=ui,
            dry=dry,
        )
        work = replace(work, files=(*files, *step(Signing(work, key))))
        return _publish(work, step, place.repository, draft=draft)


def _publish(work: Work, step: Runner, repository: str, *, draft: bool) -> ReleaseOutcome:
    step(Rights(work))
    published = next((release for release in work.releases() if not release.draft), None)
    if published is not None:
        step(Comparing(work, published))
        step(Deploying(work, published))
        state: Literal["already", "dry-run"] = "dry-run" if work.dry else "already"
        return ReleaseOutcome(state, repository, work.materials, work.files, published.url, work.deeds)
    step(HoldingVersion(work))
    step(RequiredChecks(work))
    step(Tagging(work))
    drafted = step(Drafting(work))
    step(Uploading(work, drafted))
    if draft:
        step.skip("publishing", Skip("--draft"))
        shown: Literal["draft", "dry-run"] = "dry-run" if work.dry else "draft"
        url = drafted.url if drafted else None
        return ReleaseOutcome(shown, repository, work.materials, work.files, url, work.deeds)
    release = step(Publishing(work, drafted))
    step(Deploying(work, release))
    url = release.url if release else None
    return ReleaseOutcome(
        "published" if release else "dry-run", repository, work.materials, work.files, url, work.deeds
    )
