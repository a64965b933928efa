"""Where each key and value of a TOML text stands.

``tomllib`` gives values without places, and ``tomlkit`` keeps none either, so this reads the text a second time: not to
understand it (``tomllib`` does that) but to note line and column of every key and value, which key stands twice, and
how deep things nest. Depth is bounded before ``tomllib`` recurses.
"""

from __future__ import annotations

import bisect
import contextlib
import re
import tomllib
from dataclasses import dataclass, field

__all__ = ["MAX_DEPTH", "Nested", "Path", "Positions", "Spot", "dotted", "index"]

MAX_DEPTH = 32

Path = tuple[str | int, ...]
"""The way to a value: table keys and array indices."""

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_BASIC = re.compile(r'"(?:[^"\\\n]|\\.)*"')
_LITERAL = re.compile(r"'[^'\n]*'")
_MULTI_BASIC = re.compile(r'"""(?:[^"\\]|\\[\s\S]|"{1,2}(?!"))*"{3,5}')
_MULTI_LITERAL = re.compile(r"'''(?:[^']|'{1,2}(?!'))*'{3,5}")
_SPACE = re.compile(r"[ \t]*")
_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SCALAR = re.compile(r"[^,\]}#\n]*")


@dataclass(frozen=True)
class Spot:
    """A place in a text; both count from 1, columns in characters."""

    line: int
    column: int


@dataclass(frozen=True)
class Nested:
    """The first thing nested deeper than ``MAX_DEPTH``."""

    path: Path
    spot: Spot


@dataclass
class Positions:
    """``keys`` and ``values`` by path; ``duplicates`` with the first and the second place of each."""

    keys: dict[Path, Spot] = field(default_factory=dict)
    values: dict[Path, Spot] = field(default_factory=dict)
    duplicates: list[tuple[Path, Spot, Spot]] = field(default_factory=list)
    too_deep: Nested | None = None

    def key(self, path: Path) -> Spot | None:
        """Where the key stands, else the nearest table or array around it."""
        return self._nearest(self.keys, path)

    def value(self, path: Path) -> Spot | None:
        """Where the value starts, else the nearest table or array around it."""
        return self._nearest(self.values, path)

    @staticmethod
    def _nearest(spots: dict[Path, Spot], path: Path) -> Spot | None:
        for length in range(len(path), 0, -1):
            spot = spots.get(path[:length])
            if spot is not None:
                return spot
        return None


def dotted(path: Path) -> str:
    """``path`` as a person would write it: ``contracts.Vault.args[0]``; odd keys quoted."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            shown = part if _BARE.fullmatch(part) else '"' + part[:80].replace("\\", "\\\\").replace('"', '\\"') + '"'
            text += f".{shown}" if text else shown
    return text


class _Stop(Exception):
    """The text is not TOML from here on (``tomllib`` will say how), or nests too deeply."""


def index(text: str) -> Positions:
    """The positions in ``text``. Reads as far as the text is TOML; never raises."""
    scanner = _Scanner(text)
    with contextlib.suppress(_Stop):
        scanner.document()
    return scanner.found


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text.replace("\r\n", "\n")
        self.at = 0
        self.found = Positions()
        self.lines = [0, *(match.end() for match in re.finditer("\n", self.text))]
        self.array_lengths: dict[Path, int] = {}
        self.headers: set[Path] = set()

    def document(self) -> None:
        """Lines of ``[table]``, ``[[array]]`` and ``key = value``."""
        table: Path = ()
        while True:
            self.skip(_BLANK)
            if self.at >= len(self.text):
                return
            if self.text.startswith("[", self.at):
                table = self.header()
            else:
                self.pair(table)
            self.skip(_SPACE)
            if self.at < len(self.text) and self.text[self.at] not in "\n#\r":
                raise _Stop

    def header(self) -> Path:
        is_array = self.text.startswith("[[", self.at)
        self.at += 2 if is_array else 1
        self.skip(_SPACE)
        spot = self.spot()
        parts = self.dotted_key()
        self.expect("]]" if is_array else "]")
        path: Path = ()
        for position, part in enumerate(parts):
            path = (*path, part)
            self.check_depth(path, spot)
            self.found.keys.setdefault(path, spot)
            self.found.values.setdefault(path, spot)
            if path in self.array_lengths and position < len(parts) - 1:
                path = (*path, self.array_lengths[path] - 1)
        if is_array:
            if path in self.found.keys and path not in self.array_lengths and path in self.headers:
                self.found.duplicates.append((path, self.found.keys[path], spot))
            length = self.array_lengths.get(path, 0)
            self.array_lengths[path] = length + 1
            path = (*path, length)
            self.note(path, spot, spot)
        elif path in self.headers or path in self.array_lengths:
            self.found.duplicates.append((path, self.found.keys[path], spot))
        self.headers.add(path)
        return path

    def pair(self, table: Path) -> None:
        spot = self.spot()
        parts = self.dotted_key()
        self.expect("=")
        self.skip(_SPACE)
        path = table
        for part in parts[:-1]:
            path = (*path, part)
            self.check_depth(path, spot)
            self.found.keys.setdefault(path, spot)
            self.found.values.setdefault(path, spot)
        path = (*path, parts[-1])
        self.check_depth(path, spot)
        first = self.found.keys.get(path)
        if first is not None:
            self.found.duplicates.append((path, first, spot))
        self.note(path, spot, self.spot())
        self.value(path)

    def value(self, path: Path) -> None:
        text, at = self.text, self.at
        if text.startswith('"""', at):
            self.take(_MULTI_BASIC)
        elif text.startswith("'''", at):
            self.take(_MULTI_LITERAL)
        elif text.startswith('"', at):
            self.take(_BASIC)
        elif text.startswith("'", at):
            self.take(_LITERAL)
        elif text.startswith("[", at):
            self.array(path)
        elif text.startswith("{", at):
            self.inline_table(path)
        elif not self.take(_SCALAR).strip():
            raise _Stop

    def array(self, path: Path) -> None:
        self.at += 1
        position = 0
        while True:
            self.skip(_BLANK)
            if self.text.startswith("]", self.at):
                self.at += 1
                return
            item = (*path, position)
            spot = self.spot()
            self.check_depth(item, spot)
            self.note(item, spot, spot)
            self.value(item)
            position += 1
            self.skip(_BLANK)
            if self.text.startswith(",", self.at):
                self.at += 1
            elif not self.text.startswith("]", self.at):
                raise _Stop

    def inline_table(self, path: Path) -> None:
        self.at += 1
        # TOML 1.0 allows no line breaks here; later versions do, and a wider skip costs nothing.
        self.skip(_BLANK)
        while not self.text.startswith("}", self.at):
            self.pair(path)
            self.skip(_BLANK)
            if self.text.startswith(",", self.at):
                self.at += 1
                self.skip(_BLANK)
            elif not self.text.startswith("}", self.at):
                raise _Stop
        self.at += 1

    def dotted_key(self) -> list[str]:
        parts = [self.simple_key()]
        while True:
            self.skip(_SPACE)
            if not self.text.startswith(".", self.at):
                return parts
            self.at += 1
            self.skip(_SPACE)
            parts.append(self.simple_key())
            if len(parts) > MAX_DEPTH:
                self.check_depth(tuple(parts), self.spot())

    def simple_key(self) -> str:
        if self.text.startswith('"', self.at):
            raw = self.take(_BASIC)
            try:
                return str(tomllib.loads(f"k={raw}")["k"])
            except ValueError as error:
                raise _Stop from error
        if self.text.startswith("'", self.at):
            return self.take(_LITERAL)[1:-1]
        return self.take(_BARE)

    def note(self, path: Path, key: Spot, value: Spot) -> None:
        self.found.keys.setdefault(path, key)
        self.found.values.setdefault(path, value)

    def check_depth(self, path: Path, spot: Spot) -> None:
        if len(path) > MAX_DEPTH:
            self.found.too_deep = Nested(path, spot)
            raise _Stop

    def spot(self) -> Spot:
        line = bisect.bisect_right(self.lines, self.at)
        return Spot(line, self.at - self.lines[line - 1] + 1)

    def skip(self, pattern: re.Pattern[str]) -> None:
        match = pattern.match(self.text, self.at)
        if match:
            self.at = match.end()

    def take(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self.text, self.at)
        if not match:
            raise _Stop
        self.at = match.end()
        return match.group()

    def expect(self, mark: str) -> None:
        self.skip(_SPACE)
        if not self.text.startswith(mark, self.at):
            raise _Stop
        self.at += len(mark)
