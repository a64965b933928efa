"""State as files in the project: reviewable, and committed with the code.

deployments/<target>/journal.jsonl         what happened, append-only
deployments/<target>/plans/<digest>.json   every plan that was accepted, by digest
deployments/<target>/signing/              requests to an offline signer, and what it signed
releases/<tag>/<target>.json               the record of a release, and its in-toto statement beside it
.ship/                                     bundles, caches, locks, the embedded chain: never committed
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ProjectState", "TargetState"]


@dataclass(frozen=True)
class ProjectState:
    """The folders of a project. ``root`` is where ``ship.toml`` lies."""

    root: Path

    @property
    def work(self) -> Path:
        return self.root / ".ship"

    @property
    def bundles(self) -> Path:
        return self.work / "bundles"

    @property
    def releases(self) -> Path:
        return self.root / "releases"

    def target(self, name: str) -> TargetState:
        return TargetState(self, name)


@dataclass(frozen=True)
class TargetState:
    """The files of one target."""

    project: ProjectState
    name: str

    @property
    def folder(self) -> Path:
        return self.project.root / "deployments" / self.name

    @property
    def journal(self) -> Path:
        return self.folder / "journal.jsonl"

    @property
    def lock(self) -> Path:
        return self.project.work / "locks" / f"{self.name}.lock"

    @property
    def localnet(self) -> Path:
        return self.project.work / "localnet" / self.name

    @property
    def localnet_kept(self) -> Path:
        """Present while ``ship localnet up`` keeps the embedded chain running between commands."""
        return self.localnet / "kept"

    @property
    def signing(self) -> Path:
        return self.folder / "signing"

    def plan(self, digest: str) -> Path:
        return self.folder / "plans" / f"{digest}.json"

    def newest_record(self, tag: str) -> Path:
        """The last revision of a version's record that is there; where none is, the first's place."""
        revision = 1
        while self.record(tag, revision + 1).exists():
            revision += 1
        return self.record(tag, revision)

    def record_of(self, tag: str, plan: str, plan_of: Callable[[Path], str]) -> Path:
        """Where the record of ``plan`` goes. A version's second record on a target (a rollback, a release to a local chain)
        stands beside its first. ``plan_of`` reads whose a record is."""
        revision = 1
        while (path := self.record(tag, revision)).exists() and plan_of(path) != plan:
            revision += 1
        return path

    def record(self, tag: str, revision: int = 1) -> Path:
        suffix = "" if revision == 1 else f".{revision}"
        return self.project.releases / tag / f"{self.name}{suffix}.json"
