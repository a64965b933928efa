"""The files of a release, wherever they come from, and what is wrong with them by themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from chains.canonical import sha256_hex
from pipeline.records.findings import Finding, State
from pipeline.release.assets import CHECKSUMS, parse_checksums
from pipeline.release.signature import SIGNATURE
from pipeline.released.errors import ReleaseMissing, ReleaseUnreadable

__all__ = ["MOST_BYTES", "MOST_FILES", "Package", "folder_package", "sums"]

MOST_FILES = 1000
MOST_BYTES = 2 << 30
"""Of a whole release. One asset is 512 MiB at most."""


@dataclass(frozen=True)
class Package:
    """``origin`` in words. ``tag_commit`` is what the tag stands for, where that could be asked. ``wrong``: files whose bytes
    are not the ones the place they came from says they are."""

    tag: str
    origin: str
    files: Mapping[str, bytes]
    tag_commit: str | None = None
    wrong: Mapping[str, str] = field(default_factory=dict)


def folder_package(folder: Path, tag: str) -> Package:
    """A folder somebody downloaded a release into. Raises ``ReleaseMissing`` and ``ReleaseUnreadable``."""
    files: dict[str, bytes] = {}
    left = MOST_BYTES
    try:
        entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
        if len(entries) > MOST_FILES:
            raise ReleaseUnreadable(f"{folder.name} has more than {MOST_FILES} files", remedy="Give the release alone.")
        for entry in entries:
            if not entry.is_file():
                continue
            with entry.open("rb") as file:
                data = file.read(left + 1)
            left -= len(data)
            if left < 0:
                raise ReleaseUnreadable("the release is larger than 2 GiB", remedy="Give the release's files alone.")
            files[entry.name] = data
    except OSError as error:
        raise ReleaseMissing(
            f"the folder {folder} cannot be read: {error.strerror}",
            remedy="Name the one the release was downloaded into.",
        ) from None
    if CHECKSUMS not in files:
        raise ReleaseMissing(
            f"there is no {CHECKSUMS} in {folder}",
            remedy=f"Download all assets of {tag} into one folder, as `gh release download {tag}` does.",
        )
    return Package(tag, str(folder), files)


def sums(package: Package) -> list[Finding]:
    """Every file against what its origin says of it and against checksums.txt, and the other way round."""
    found: list[Finding] = []

    def add(what: str, state: State, detail: str) -> None:
        found.append(Finding("files", what, state, detail))

    for name, why in package.wrong.items():
        add(name, "altered", why)
    if CHECKSUMS not in package.files:
        add(CHECKSUMS, "missing", "nothing says which bytes belong to the release")
        return found
    stated = parse_checksums(package.files[CHECKSUMS])
    good = 0
    for name, data in package.files.items():
        if name in {CHECKSUMS, SIGNATURE} or name in package.wrong:
            continue
        digest = sha256_hex(data)
        if name not in stated:
            add(name, "note", f"{CHECKSUMS} does not name it: it is no part of what is proven")
        elif stated[name] != digest:
            add(name, "altered", f"its sha256 is {digest[:12]}, {CHECKSUMS} says {stated[name][:12]}")
        else:
            good += 1
    for name in sorted(set(stated) - set(package.files)):
        add(name, "missing", f"{CHECKSUMS} names it")
    if good and not any(f.state in {"altered", "missing"} for f in found):
        add(CHECKSUMS, "ok", f"{good} files, each with the sha256 it names")
    return found
