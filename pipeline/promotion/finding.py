"""The candidate's files: from GitHub, or from this project's own store."""

from __future__ import annotations

from dataclasses import dataclass

from chains.base import Clock
from chains.canonical import pretty
from pipeline.bundle import load_bundle
from pipeline.github.repository import Repository
from pipeline.manifest.project import Project
from pipeline.promotion.errors import CandidateAltered, CandidateElsewhere
from pipeline.record import load_record, statement_path
from pipeline.records.finding import RecordFile, find_records
from pipeline.records.findings import Finding
from pipeline.release.archive import pack
from pipeline.release.assets import CHECKSUMS, File, checksums
from pipeline.released.contents import Contents, read_contents
from pipeline.released.fetching import fetch_package
from pipeline.released.package import Package, sums
from pipeline.state.local import ProjectState
from pipeline.ui.base import Ui

__all__ = ["Fetching", "Holding"]


@dataclass(frozen=True)
class Fetching:
    """``repository`` is ``None`` for the local store."""

    project: Project
    tag: str
    repository: Repository | None
    ui: Ui
    clock: Clock
    title: str = "fetching the candidate"

    def run(self) -> Package:
        if self.repository is not None:
            return fetch_package(self.repository, self.tag, self.ui)
        return _stored(self.project, self.tag)

    def summary(self, result: Package) -> str:
        return f"{self.tag} from {result.origin}, {len(result.files)} files"


def _stored(project: Project, tag: str) -> Package:
    """The newest record of each target, and their bundles. Raises ``RecordNotFound``, ``BundleMissing``, ``BundleDamaged``."""
    newest: dict[str, RecordFile] = {}
    for file in find_records(project.root, tag):
        newest[file.target] = max(newest.get(file.target, file), file, key=lambda f: f.revision)
    files: dict[str, bytes] = {}
    bundles: dict[str, None] = {}
    for file in newest.values():
        record = load_record(file.path)
        beside = statement_path(file.path)
        files[file.path.name] = file.path.read_bytes()
        if beside.is_file():
            files[beside.name] = beside.read_bytes()
        bundles[str(record.get("bundle"))] = None
    for digest in bundles:
        files[f"bundle-{digest[:12]}.tar"] = pack(load_bundle(ProjectState(project.root).bundles, digest))
    files[CHECKSUMS] = checksums([File(name, data) for name, data in files.items()])
    return Package(tag, "this project's store", files)


@dataclass(frozen=True)
class Holding:
    """Every digest. Raises ``CandidateAltered`` and ``CandidateElsewhere``; then nothing of it is used."""

    project: Project
    package: Package
    title: str = "holding its bytes against their digests"

    def run(self) -> Contents:
        state = ProjectState(self.project.root)
        found = sums(self.package)
        contents = read_contents(self.package, state.bundles) if not _bad(found) else Contents()
        altered = _bad([*found, *(f for f in contents.findings if f.what != "commit")])
        kept = [
            f"{r.name}: the record kept here is another" for r in contents.records if self._differs(r.name, r.record)
        ]
        if altered or kept:
            raise CandidateAltered(
                f"{self.package.tag} from {self.package.origin} is not what was released: {'; '.join([*altered, *kept])}",
                remedy="Do not use it. Fetch it again, or make a new candidate; find out who changed it.",
            )
        elsewhere = _bad([f for f in contents.findings if f.what == "commit"])
        if elsewhere:
            raise CandidateElsewhere(
                "; ".join(elsewhere), remedy="A tag is never moved. Make a new candidate from the commit you mean."
            )
        if len({r.record["bundle"] for r in contents.records}) != 1:
            raise CandidateAltered(
                f"the targets of {self.package.tag} hold different bundles",
                remedy="Deploy one bundle to all of them (`ship deploy --chain a,b`), as a new candidate.",
            )
        return contents

    def _differs(self, name: str, record: object) -> bool:
        path = ProjectState(self.project.root).releases / self.package.tag / name
        return path.is_file() and path.read_bytes() != pretty(record)

    def summary(self, result: Contents) -> str:
        (bundle,) = {str(r.record["bundle"]) for r in result.records}
        return f"{len(self.package.files)} files, bundle {bundle[:12]}, commit {str(result.commit)[:12]}"


def _bad(findings: list[Finding]) -> list[str]:
    return [f"{f.what}: {f.detail}" for f in findings if f.state not in {"ok", "note"}]
