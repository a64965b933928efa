"""The files of a release: names and bytes, the same for the same records and bundles."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from chains.canonical import pretty, sha256_hex
from chains.jsontext import read_json
from pipeline.bundle import Bundle, load_bundle
from pipeline.exporting.book import Book, read_book
from pipeline.exporting.json_book import write_json
from pipeline.record import statement_path
from pipeline.release.archive import pack
from pipeline.release.errors import AssetUnfit
from pipeline.release.git_work import GitWork
from pipeline.release.materials import Materials, Recorded
from pipeline.release.sarif import kept_sarif
from pipeline.release.sbom import bill_of_materials
from pipeline.state.local import ProjectState

__all__ = ["CHECKSUMS", "SARIF", "File", "checksums", "make_files", "parse_checksums"]

CHECKSUMS = "checksums.txt"
SARIF = "slither.sarif"
_MOST_BYTES = 512 << 20
_TYPES = {
    ".json": "application/json",
    ".jsonl": "application/jsonl",
    ".txt": "text/plain",
    ".sarif": "application/sarif+json",
    ".tar": "application/x-tar",
}


@dataclass(frozen=True)
class File:
    """One asset. ``optional``: another machine may lack it (a report that only the gate's machine kept)."""

    name: str
    data: bytes
    optional: bool = False

    @property
    def sha256(self) -> str:
        return sha256_hex(self.data)

    @property
    def content_type(self) -> str:
        return _TYPES.get(Path(self.name).suffix, "application/octet-stream")


def make_files(materials: Materials) -> tuple[File, ...]:
    """Every file, checksums last. Raises ``BundleMissing``, ``BundleDamaged`` and ``AssetUnfit``."""
    project = materials.project
    state = ProjectState(project.root)
    digests = dict.fromkeys(str(r.record["bundle"]) for r in materials.records)
    bundles = [load_bundle(state.bundles, digest) for digest in digests]
    files = [
        *_records(materials.records),
        *(_journal(recorded, state) for recorded in materials.records),
        *_reports(materials, state.work),
        *(File(f"bundle-{bundle.digest[:12]}.tar", pack(bundle)) for bundle in bundles),
        File("sbom.cdx.json", _sbom(materials, bundles)),
        *(File(n, t.encode()) for n, t in write_json(_book(materials)).items()),
        *(File(Path(path).name, _read(project.root / path)) for path in project.spec.release.assets),
    ]
    names = [file.name.lower() for file in files] + [CHECKSUMS]
    for file in files:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,120}", file.name):
            raise AssetUnfit(f"GitHub would rename the asset {file.name}", remedy="Use letters, digits, -, _ and dots.")
        if names.count(file.name.lower()) > 1:
            raise AssetUnfit(f"two assets are called {file.name}", remedy="Rename one of them under [release] assets.")
        if not 0 < len(file.data) <= _MOST_BYTES:
            raise AssetUnfit(f"the asset {file.name} is empty or larger than 512 MiB", remedy="Leave it out.")
    return (*files, File(CHECKSUMS, checksums(files)))


def _records(records: tuple[Recorded, ...]) -> Iterator[File]:
    """Record, provenance and, where there is one, the record of the way back. Named by target, whatever the revision."""
    for recorded in records:
        path = recorded.file.path
        yield File(path.name, pretty(recorded.record))
        yield File(statement_path(path).name, _read(statement_path(path)))
        for kind in (".rollback.json", ".rollback.intoto.json"):
            beside = path.with_name(path.name.removesuffix(".json") + kind)
            if beside.is_file():
                yield File(beside.name, _read(beside))


def _journal(recorded: Recorded, state: ProjectState) -> File:
    """The target's journal up to the row that names the record: what anybody needs to hold the chain of its hashes. What came later
    is no part of this release, so that the asset is the same however late the release is made."""
    data = _read(state.target(recorded.target).journal)
    sha256 = recorded.sha256
    end = 0
    for line in data.splitlines(keepends=True):
        end += len(line)
        row = read_json(line)
        if row["kind"] == "plan.finished" and row["data"]["sha256"] == sha256:
            return File(f"{recorded.target}.journal.jsonl", data[:end])
    raise AssetUnfit(
        f"the journal of {recorded.target} does not name the record {recorded.file.path.name}",
        remedy=f"Restore deployments/{recorded.target} from version control.",
    )


def _reports(materials: Materials, work: Path) -> Iterator[File]:
    """One report: targets of one commit are judged by the same gates, and the first that kept it speaks for all."""
    found = (kept_sarif(work, recorded.record) for recorded in materials.records)
    data = next((data for data in found if data is not None), None)
    if data is not None:
        yield File(SARIF, data, optional=True)


def _sbom(materials: Materials, bundles: list[Bundle]) -> bytes:
    git = GitWork(materials.project.evm_root)
    return bill_of_materials(materials, bundles, lambda path: git.submodule(path, materials.commit))


def _book(materials: Materials) -> Book:
    return read_book(
        materials.project.root, materials.project.name, [recorded.target for recorded in materials.records]
    )


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise AssetUnfit(
            f"{path.name} cannot be read: {error.strerror}", remedy="Restore it, or take it out of [release] assets."
        ) from error


def checksums(files: list[File]) -> bytes:
    """As ``sha256sum --check`` reads it."""
    return "".join(f"{file.sha256}  {file.name}\n" for file in sorted(files, key=lambda f: f.name)).encode()


def parse_checksums(data: bytes) -> dict[str, str]:
    """Digest by name. Lines of another form are no digests."""
    lines = data.decode("utf-8", errors="replace").splitlines()
    matches = (re.fullmatch(r"([0-9a-f]{64})  (\S+)", line) for line in lines)
    return {match[2]: match[1] for match in matches if match}
