"""What a release holds: records, bundles, statements, ways back, journals; each held against the others."""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chains.canonical import pretty, sha256_hex
from chains.errors import ShipError
from chains.jsontext import read_json
from pipeline.bundle import Bundle, place_bundle
from pipeline.journal import read_rows
from pipeline.record import KIND, SCHEMA, statement
from pipeline.records.findings import Finding, State
from pipeline.released.package import MOST_BYTES, MOST_FILES, Package

__all__ = ["Contents", "Released", "read_contents", "wrong"]

_ROLLBACK = "contract-ship/rollback"


@dataclass(frozen=True)
class Released:
    """One target's record as it was published."""

    name: str
    record: Mapping[str, Any]
    sha256: str

    @property
    def target(self) -> str:
        return str(self.record["target"])


@dataclass
class Contents:
    """``bundles`` by digest. What is wrong is a finding, never an error."""

    records: list[Released] = field(default_factory=list)
    bundles: dict[str, Bundle] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def add(self, what: str, state: State, detail: str = "") -> None:
        self.findings.append(Finding("files", what, state, detail))

    @property
    def commit(self) -> str | None:
        """The one commit of all records."""
        commits = {record.record["commit"] for record in self.records}
        return str(commits.pop()) if len(commits) == 1 else None


def read_contents(package: Package, bundles: Path) -> Contents:
    """Read every file of ``package``; its bundles are written below the folder ``bundles``."""
    contents = Contents()
    for name, data in package.files.items():
        if re.fullmatch(r"bundle-[0-9a-f]+\.tar", name):
            _bundle(name, data, bundles, contents)
    for name, data in package.files.items():
        if name.endswith(".json") and not name.endswith((".intoto.json", ".rollback.json", "sbom.cdx.json")):
            _record(package, name, data, contents)
    for released in contents.records:
        _held_together(package, released, contents)
    for name, data in package.files.items():
        if name.endswith(".rollback.json"):
            _way_back(package, name, data, contents)
        elif name.endswith(".jsonl"):
            _journal(name, data, contents)
    _one_commit(package, contents)
    return contents


def _bundle(name: str, data: bytes, folder: Path, contents: Contents) -> None:
    try:
        bundle = place_bundle(folder, dict(_unpacked(data)))
    except (tarfile.TarError, OSError, ValueError, KeyError) as error:
        contents.add(name, "altered", f"not a bundle: {type(error).__name__}: {error}")
    except ShipError as error:
        contents.add(name, "altered", error.cause)
    else:
        if name != f"bundle-{bundle.digest[:12]}.tar":
            contents.add(name, "altered", f"it holds bundle {bundle.digest[:12]}")
            return
        contents.bundles[bundle.digest] = bundle
        contents.add(
            name, "ok", f"{len(bundle.manifest['files'])} files, each with its sha256, together {bundle.digest[:12]}"
        )


def _unpacked(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Names without the folder. Nothing is written by tar: its names, links and modes are somebody else's."""
    left = MOST_BYTES
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as tar:
        for count, entry in enumerate(tar):
            left -= entry.size
            if not entry.isreg() or count > 100 * MOST_FILES or left < 0:
                raise ValueError("something else than files, or too much")
            file = tar.extractfile(entry)
            assert file is not None
            yield entry.name.partition("/")[2], file.read()


def _record(package: Package, name: str, data: bytes, contents: Contents) -> None:
    """Every JSON file of our kind is a record; others are other assets."""
    try:
        record = read_json(data)
        if not isinstance(record, dict) or record.get("kind") != KIND:
            return
    except (ValueError, RecursionError):
        return
    try:
        if record["schema"] != SCHEMA or data != pretty(record):
            contents.add(name, "altered", "not in canonical form, or of another schema")
            return
        target, tag = str(record["target"]), str(record["tag"])
        str(record["bundle"]), str(record["chain"]["name"]), list(record["proofs"]), list(record["transactions"])
        failed = [g["name"] for g in record["gates"] if g["status"] != "passed"]
        failed += [c["name"] for c in record["checks"] if not c["passed"]]
        dirty = bool(record["dirty"]) or not record["commit"]
    except (KeyError, TypeError, ValueError) as error:
        contents.add(name, "altered", f"a field is missing or of another kind: {error}")
        return
    if tag != package.tag or not re.fullmatch(rf"{re.escape(target)}(\.\d+)?\.json", name):
        contents.add(name, "altered", f"it is of {tag} on {target}")
        return
    if dirty:
        contents.add(name, "failed", "it was deployed from uncommitted changes, which no commit shows")
    if failed:
        contents.add(name, "failed", f"{', '.join(failed)} did not pass")
    contents.records.append(Released(name, record, sha256_hex(data)))
    contents.add(name, "ok", f"canonical, sha256 {sha256_hex(data)[:12]}")


def _held_together(package: Package, released: Released, contents: Contents) -> None:
    stated_name = released.name.removesuffix(".json") + ".intoto.json"
    stated = package.files.get(stated_name)
    if stated is None:
        contents.add(stated_name, "missing", "the record has no statement")
    elif stated != pretty(statement(released.record, released.name)):
        contents.add(stated_name, "altered", "it says something else than the record")
    else:
        contents.add(stated_name, "ok", "names the record and the bundle by sha256")
    if released.record["bundle"] not in contents.bundles:
        contents.add(
            f"bundle of {released.target}", "missing", f"{str(released.record['bundle'])[:12]} is not in the release"
        )


def _way_back(package: Package, name: str, data: bytes, contents: Contents) -> None:
    try:
        way = read_json(data)
        own = (way["schema"], way["kind"], way["release"], data) == (1, _ROLLBACK, package.tag, pretty(way))
        plans = {r.record["plan"] for r in contents.records if r.target == way["target"]}
        shown = f"{way['strategy']}, {way['capability']}"
        named = way["plan"] in plans
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        contents.add(name, "altered", f"not a rollback record: {error}")
        return
    if not own or not named:
        contents.add(name, "altered", "it is not the way back of a record of this release")
    else:
        contents.add(name, "ok", f"of the plan that was released; {shown}")


def _journal(name: str, data: bytes, contents: Contents) -> None:
    """A journal that was published as an asset: whole, and ending in the record."""
    try:
        rows, head, _ = read_rows(Path(name), data)
        target = next((row.data["target"] for row in rows if row.kind == "open"), "")
    except (ShipError, KeyError, TypeError) as error:
        contents.add(name, "altered", error.cause if isinstance(error, ShipError) else "not a journal")
        return
    contents.add(name, "ok", f"{len(rows)} rows, each with the hash of the one before, head {head[:12]}")
    finished = {row.data.get("sha256") for row in rows if row.kind == "plan.finished"}
    for released in contents.records:
        if released.target == target:
            known = released.sha256 in finished
            contents.add(
                f"{name} entry", "ok" if known else "altered",
                f"it {'names' if known else 'does not name'} {released.name} by sha256",
            )  # fmt: skip


def _one_commit(package: Package, contents: Contents) -> None:
    if not contents.records:
        contents.add("records", "missing", "the release holds no record of this tag")
        return
    commit = contents.commit
    if commit is None:
        contents.add("commit", "altered", "the records are of different commits")
    elif package.tag_commit is None:
        contents.add("commit", "note", f"{commit}; what the tag {package.tag} stands for was not asked")
    elif package.tag_commit != commit:
        contents.add(
            "commit",
            "failed",
            f"the tag {package.tag} is commit {package.tag_commit[:12]}, the records say {commit[:12]}",
        )
    else:
        contents.add("commit", "ok", f"the tag {package.tag} is commit {commit[:12]}, as the records say")


def wrong(findings: Sequence[Finding]) -> list[str]:
    """What contradicts, is altered or missing, in words."""
    return [f"{f.what}: {f.detail}" for f in findings if f.state not in {"ok", "note"}]
