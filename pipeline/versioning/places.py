"""Where a file says its version, to the character: read, held equal, and written without touching anything else.

A file is read as what it is (TOML, JSON), and written as text: only the characters of the value change, so that comments,
order and spacing stay. What was written is read again and held against what was meant before it reaches the disk.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chains.jsontext import read_json
from pipeline.manifest.positions import index
from pipeline.manifest.reading import MAX_BYTES

__all__ = ["Unreadable", "VersionPlace", "places_in", "read_text", "replaced"]

_TABLES: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "Cargo.toml": (("package", "version"), ("workspace", "package", "version")),
    "pyproject.toml": (("project", "version"), ("tool", "poetry", "version")),
    "foundry.toml": (("package", "version"), ("soldeer", "version")),
    "Anchor.toml": (("package", "version"), ("workspace", "version"), ("version",)),
    "ship.toml": (("project", "version"),),
}
_ANY = (("project", "version"), ("package", "version"), ("workspace", "package", "version"), ("version",))
_MAX_BRACKETS = 5_000  # no version file has more; tomllib recurses once for each that nests
_STRING = re.compile(r'"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'')
_JSON_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)


class Unreadable(ValueError):
    """Why a file says no version; its text is for people."""


@dataclass(frozen=True)
class VersionPlace:
    """``key`` is dotted; ``start`` and ``stop`` are characters of the text, quotes included."""

    key: str
    version: str
    line: int
    start: int
    stop: int


def read_text(path: Path) -> str:
    """Raises ``Unreadable``. Line ends stay as they are."""
    try:
        data = path.read_bytes()
        if len(data) > MAX_BYTES:
            raise Unreadable("it is larger than 1 MiB")
        return data.decode()
    except OSError as error:
        raise Unreadable(f"it cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise Unreadable("it is not UTF-8") from error


def places_in(name: str, text: str) -> list[VersionPlace]:
    """Every place of the file called ``name`` that says a version; at least one. Raises ``Unreadable``."""
    file = name.rpartition("/")[2]
    try:
        if file.endswith(".json"):
            found = list(_in_json(text))
        elif file.endswith(".toml"):
            found = list(_in_toml(file, text))
        else:
            found = list(_alone(text))
    except (ValueError, RecursionError) as error:
        if isinstance(error, Unreadable):
            raise
        raise Unreadable("it cannot be understood") from error
    if not found:
        raise Unreadable("it holds no version")
    return found


def replaced(name: str, text: str, version: str) -> str:
    """``text`` saying ``version`` in every place, and nothing else changed. Raises ``Unreadable``."""
    quoted = name.endswith((".json", ".toml"))
    for place in sorted(places_in(name, text), key=lambda p: -p.start):
        quote = text[place.start] if quoted else ""
        text = text[: place.start] + quote + version + quote + text[place.stop :]
    if any(place.version != version for place in places_in(name, text)):
        raise Unreadable("its version cannot be written")
    return text


def _at(data: Any, *keys: str) -> Any:
    for key in keys:
        data = data.get(key) if isinstance(data, Mapping) else None
    return data


def _place(text: str, key: str, version: str, start: int, literal: re.Pattern[str] | None) -> VersionPlace:
    if literal is None:
        return VersionPlace(key, version, text.count("\n", 0, start) + 1, start, start + len(version))
    match = literal.match(text, start)
    if (
        match is None or match[0][1:-1] != version
    ):  # escapes, a multi-line string: written again they would look otherwise
        raise Unreadable(f"its {key} is not a plain string")
    return VersionPlace(key, version, text.count("\n", 0, start) + 1, start, match.end())


def _in_toml(file: str, text: str) -> Iterator[VersionPlace]:
    if text.count("[") + text.count("{") > _MAX_BRACKETS:
        raise Unreadable("it nests too deep")
    data, spots = tomllib.loads(text), index(text).values
    lines = [0, *(match.end() for match in re.finditer("\n", text))]
    for keys in _TABLES.get(file, _ANY):
        value = _at(data, *keys)
        if not isinstance(value, str):
            continue  # absent, or `version.workspace = true`
        spot = spots.get(keys)
        if spot is None:
            raise Unreadable(f"the place of its {'.'.join(keys)} is not found")
        yield _place(text, ".".join(keys), value, lines[spot.line - 1] + spot.column - 1, _STRING)


def _in_json(text: str) -> Iterator[VersionPlace]:
    version = _at(read_json(text.encode()), "version")
    if not isinstance(version, str):
        return
    start = _top_level(text, "version")
    if start is not None:
        yield _place(text, "version", version, start, _JSON_STRING)


def _top_level(text: str, wanted: str) -> int | None:
    """Where the value of the outermost object's key starts; the last one counts, as for every reader of JSON."""
    depth, at, found = 0, 0, None
    while at < len(text):
        string = _JSON_STRING.match(text, at)
        if string is None:
            depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(text[at], 0)
            at += 1
            continue
        at = string.end()
        colon = re.compile(r"\s*:\s*").match(text, at)
        if colon and depth == 1 and json.loads(string[0]) == wanted:
            found = colon.end()
    return found


def _alone(text: str) -> Iterator[VersionPlace]:
    stripped = text.strip()
    if stripped:
        yield _place(text, "version", stripped, text.index(stripped), None)
