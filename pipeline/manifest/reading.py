"""From a file on disk to checked TOML data with positions.

Size, encoding, characters and depth are checked before ``tomllib`` sees the text; numbers, addresses and secrets right
after. What comes out can be shown in messages and handed to the models.
"""

from __future__ import annotations

import itertools
import os
import re
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from chains.errors import Where
from pipeline.manifest.characters import suspect_characters
from pipeline.manifest.errors import (
    MAX_PROBLEMS,
    BadToml,
    DuplicateKey,
    EmptyFile,
    ManifestInvalid,
    NotUtf8,
    PathLeavesRoot,
    TooDeep,
    TooLarge,
    Unreadable,
    raise_all,
)
from pipeline.manifest.guards import guard_values
from pipeline.manifest.positions import MAX_DEPTH, Path, Positions, Spot, dotted, index

__all__ = ["MAX_BYTES", "Document", "parse", "read_document"]

MAX_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Document:
    """One TOML file: its data (arrays as tuples) and where everything in it stands. ``file`` is the name to show."""

    file: str
    data: Mapping[str, Any]
    positions: Positions

    def where(self, path: Path, *, at_key: bool = False) -> Where:
        """The place of a value, or of its key. For a key that is missing: of the table it is missing from."""
        spot = self.positions.key(path) if at_key else self.positions.value(path)
        return _where(self.file, spot, path)

    def has(self, path: Path) -> bool:
        return path in self.positions.keys


def _where(file: str, spot: Spot | None, path: Path) -> Where:
    return Where(file, spot.line if spot else 1, spot.column if spot else 1, dotted(path) or None)


def read_document(path: FilePath, *, root: FilePath) -> Document:
    """Read and check ``path``, a file inside ``root``. Raises ``ManifestInvalid`` with all problems found."""
    shown = _shown(path, root)
    if not path.resolve().is_relative_to(root.resolve()):
        raise PathLeavesRoot(
            f"{shown} is a symbolic link that leads out of the project.",
            remedy="Put the file itself into the project.",
            where=Where(shown, 1, 1),
        )
    return parse(_read(path, shown), shown)


def _shown(path: FilePath, root: FilePath) -> str:
    try:
        return path.relative_to(root).as_posix()
    except ValueError:
        return str(path)


def _read(path: FilePath, shown: str) -> bytes:
    where = Where(shown, 1, 1)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise Unreadable(f"{shown} is not a regular file.", remedy="Replace it by a TOML file.", where=where)
            content = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "the name is not allowed"
        raise Unreadable(f"{shown} cannot be read: {reason}.", remedy="Check the file's rights.", where=where) from None
    if len(content) > MAX_BYTES:
        raise TooLarge(
            f"{shown} is larger than 1 MiB.",
            remedy="A manifest holds names, addresses and arguments: keep large data in the contracts' own files.",
            where=where,
        )
    return content


def parse(content: bytes, shown: str) -> Document:
    """``content`` as a checked document. ``shown`` names it in messages."""
    text = _decode(content, shown)
    suspects = itertools.islice(suspect_characters(text), MAX_PROBLEMS)
    raise_all(suspect.problem(_where(shown, Spot(suspect.line, suspect.column), ())) for suspect in suspects)
    positions = index(text)
    if positions.too_deep:
        nested = positions.too_deep
        raise TooDeep(
            f"Tables and arrays nest deeper than {MAX_DEPTH} levels here.",
            remedy="Flatten the value; no manifest needs this depth.",
            where=Where(shown, nested.spot.line, nested.spot.column, dotted(nested.path[:3]) + "…"),
        )
    raise_all(_duplicates(shown, positions))
    data = _toml(text, shown, positions)
    if not data:
        raise EmptyFile(
            f"{shown} is empty.", remedy='Start it with "schema = 1", or run "ship init".', where=Where(shown, 1, 1)
        )
    document = Document(shown, data, positions)
    raise_all(guard_values(data, document.where))
    return document


def _decode(content: bytes, shown: str) -> str:
    if content.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        raise NotUtf8(
            f"{shown} starts with a byte order mark.",
            remedy='Save it as "UTF-8 without BOM".',
            where=Where(shown, 1, 1),
        )
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8")
        line = before.count("\n") + 1
        raise NotUtf8(
            f"{shown} is not UTF-8: byte 0x{content[error.start]:02x} stands where no character can.",
            remedy="Save it as UTF-8.",
            where=Where(shown, line, len(before) - (before.rfind("\n") + 1) + 1),
        ) from None


def _duplicates(shown: str, positions: Positions) -> list[ManifestInvalid]:
    return [
        DuplicateKey(
            f'"{dotted(path)}" stands twice: first in line {first.line}, again in line {second.line}.',
            remedy="Keep one of the two.",
            where=Where(shown, second.line, second.column, dotted(path)),
        )
        for path, first, second in positions.duplicates[:MAX_PROBLEMS]
    ]


_PLACE = re.compile(r" \(at (?:line ([0-9]+), column ([0-9]+)|end of document)\)$")
_TWICE = re.compile(r"Cannot (?:overwrite|declare|mutate|redefine|extend)|[Dd]uplicate")


def _toml(text: str, shown: str, positions: Positions) -> dict[str, Any]:
    try:
        return {key: _frozen(value) for key, value in tomllib.loads(text).items()}
    except tomllib.TOMLDecodeError as error:
        message = str(error)
    except RecursionError:
        message = "it nests too deeply"
    except ValueError:
        message = "it holds a number too long to read, or a date that does not exist"
    place = _PLACE.search(message)
    last = Spot(text.count("\n") + 1, len(text) - (text.rfind("\n") + 1) + 1)
    spot = Spot(int(place[1]), int(place[2])) if place and place[1] else last
    message = _PLACE.sub("", message)
    if _TWICE.search(message):
        raise DuplicateKey(
            f"{shown} defines a key or table twice, or a table inside a value: the line shown is the second place.",
            remedy="Keep one of the two.",
            where=Where(shown, spot.line, spot.column, _key_near(positions, spot)),
        )
    raise BadToml(
        f"{shown} is not TOML: {message[:1].lower()}{message[1:200]}.",
        remedy="Strings need quotes, tables need [brackets], every line is one key = value. See https://toml.io/en/v1.0.0.",
        where=Where(shown, spot.line, spot.column, _key_near(positions, spot)),
    )


def _key_near(positions: Positions, spot: Spot) -> str | None:
    """The last key that starts before ``spot``: where the reader was when it stopped."""
    before = [
        (place.line, place.column, path)
        for path, place in positions.keys.items()
        if (place.line, place.column) <= (spot.line, spot.column)
    ]
    return dotted(max(before, key=lambda item: item[:2])[2]) if before else None


def _frozen(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_frozen(item) for item in value)
    if isinstance(value, dict):
        return {key: _frozen(item) for key, item in value.items()}
    return value
