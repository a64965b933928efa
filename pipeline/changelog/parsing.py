"""A changelog's lines, and what of them are headings and links. Nothing is judged here, and nothing is lost.

Source: Keep a Changelog 1.1.0 (https://keepachangelog.com/en/1.1.0/). What stands in fenced code or in a comment is text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

__all__ = ["SECTIONS", "UNRELEASED", "Changelog", "Entry", "Section", "parse"]

SECTIONS = ("Added", "Changed", "Deprecated", "Removed", "Fixed", "Security")
UNRELEASED = "Unreleased"

_HEADING = re.compile(r"(#{1,6})[ \t]+(.*?)[ \t]*#*[ \t]*")
_ENTRY = re.compile(r"\[?v?(?P<name>[^\]\s]+)\]?(?:\s*(?:-|–|—)?\s*(?P<rest>.*))?")
_LINK = re.compile(r" {0,3}\[(?P<name>[^\]]+)\]:[ \t]*(?P<url>\S+).*")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)")


@dataclass
class Section:
    """``### Added`` and its lines. ``line`` counts from 1; ``first`` and ``stop`` are indices of the lines below it."""

    name: str
    line: int
    first: int
    stop: int
    filled: bool = False


@dataclass
class Entry:
    """``## [1.2.0] - 2026-11-24``. ``rest`` is what stands behind the version."""

    name: str
    bracketed: bool
    rest: str
    line: int
    first: int
    stop: int
    sections: list[Section] = field(default_factory=list)
    filled: bool = False

    @property
    def unreleased(self) -> bool:
        return self.name.casefold() == UNRELEASED.casefold()


@dataclass(frozen=True)
class Changelog:
    """``lines`` keep their line ends: joined they are the text again. ``links`` are by folded name: index and address."""

    lines: tuple[str, ...]
    titled: bool
    entries: tuple[Entry, ...]
    links: dict[str, tuple[int, str]]

    def entry(self, version: str) -> Entry | None:
        return next((entry for entry in self.entries if entry.name == version), None)

    @property
    def unreleased(self) -> Entry | None:
        return next((entry for entry in self.entries if entry.unreleased), None)

    def text_of(self, entry: Entry | Section) -> str:
        """What stands below the heading, without empty lines around it."""
        return "".join(self.lines[entry.first : entry.stop]).strip("\r\n")


def parse(text: str) -> Changelog:
    """Reads any text; what is no changelog has no entries."""
    lines = tuple(text.splitlines(keepends=True))
    entries: list[Entry] = []
    links: dict[str, tuple[int, str]] = {}
    titled = False
    for number, line in _outside(lines):
        bare = line.rstrip("\r\n")
        if link := _LINK.fullmatch(bare):
            links.setdefault(link["name"].casefold(), (number, link["url"]))
            if entries and entries[-1].stop == len(lines) and not any(_matters(other) for other in lines[number + 1 :]):
                entries[-1].stop = number
            continue
        heading = _HEADING.fullmatch(bare)
        if heading is None:
            continue
        depth, title = len(heading[1]), heading[2]
        if depth == 1:
            titled = titled or not entries
        elif depth == 2:
            _close(entries, number)
            match = _ENTRY.fullmatch(title)
            name, rest = (match["name"], match["rest"] or "") if match else (title, "")
            entries.append(Entry(name, title.startswith("["), rest, number + 1, number + 1, len(lines)))
        elif depth == 3 and entries:
            _close_section(entries[-1], number)
            entries[-1].sections.append(Section(title, number + 1, number + 1, len(lines)))
    for entry in entries:
        _close_section(entry, entry.stop)
        _fill(entry, lines)
    return Changelog(lines, titled, tuple(entries), links)


def _matters(line: str) -> bool:
    """Whether a line belongs to a text, and not to the links at the end of the file."""
    return bool(line.strip()) and _LINK.fullmatch(line.rstrip("\r\n")) is None


def _close(entries: list[Entry], number: int) -> None:
    if entries:
        entries[-1].stop = min(entries[-1].stop, number)
        _close_section(entries[-1], number)


def _close_section(entry: Entry, number: int) -> None:
    if entry.sections:
        entry.sections[-1].stop = min(entry.sections[-1].stop, number)


def _fill(entry: Entry, lines: tuple[str, ...]) -> None:
    for section in entry.sections:
        section.filled = any(_matters(line) for line in lines[section.first : section.stop])
    first = entry.sections[0].line - 1 if entry.sections else entry.stop
    own = any(_matters(line) for line in lines[entry.first : first])
    entry.filled = own or any(section.filled for section in entry.sections)


def _outside(lines: tuple[str, ...]) -> Iterator[tuple[int, str]]:
    """Lines that are neither in fenced code nor in a comment."""
    fence, comment = "", False
    for number, line in enumerate(lines):
        if fence:
            closing = _FENCE.fullmatch(line.rstrip("\r\n"))
            if closing and closing[1].startswith(fence) and not closing[2].strip():
                fence = ""
            continue
        if comment:
            comment = "-->" not in line
            continue
        if opening := _FENCE.fullmatch(line.rstrip("\r\n")):
            fence = opening[1]
            continue
        at = line.rfind("<!--")
        comment = at >= 0 and "-->" not in line[at:]
        if at < 0 or line[:at].strip():
            yield number, line
