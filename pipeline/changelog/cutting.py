"""``ship changelog cut``: what is under [Unreleased] becomes a version, by lines put in, none taken out. Pure.

The one line that is changed, where there is one, is the link of [Unreleased], which then compares with the new version.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from semver import Version

from pipeline.changelog.checking import problems_in
from pipeline.changelog.errors import ChangelogInvalid, ChangelogNotCut
from pipeline.changelog.parsing import SECTIONS, UNRELEASED, Changelog, Entry, parse

__all__ = ["Cut", "cut", "with_items"]

_COMPARE = re.compile(r"(?P<repository>.+)/compare/(?P<base>.+?)\.\.\.(?P<head>[^/]+)")


@dataclass(frozen=True)
class Cut:
    """The new text, and the entry's text. ``there``: the version was cut before, and nothing is left to do."""

    text: str
    entry: str
    there: bool = False


def cut(text: str, file: str, version: str, day: date) -> Cut:
    """Raises ``ChangelogNotCut``, and ``ChangelogInvalid`` where the text was not in form before."""
    log = parse(text)
    problems = problems_in(log, file)
    if problems:
        raise ChangelogInvalid.of(problems)
    _semver(version)
    unreleased, existing = log.unreleased, log.entry(version)
    if existing is not None:
        if unreleased is None or not unreleased.filled:
            return Cut(text, log.text_of(existing), there=True)
        raise ChangelogNotCut(
            f"{version} has an entry already, and [{UNRELEASED}] holds more",
            remedy="Cut another version, or move what belongs to this one by hand.",
        )
    if unreleased is None or not unreleased.filled:
        raise ChangelogNotCut(
            f"there is nothing under [{UNRELEASED}] to cut {version} from",
            remedy="Say there what changed, or let --from-commits do it.",
        )
    new = "".join(_lines(log, unreleased, version, day))
    after = problems_in(parse(new), file, version)
    if after:
        raise ChangelogNotCut(
            f"{version} of {day} would not fit: {after[0].cause}",
            remedy="Choose a version and a date that come after those below.",
        )
    entry = parse(new).entry(version)
    assert entry is not None
    return Cut(new, parse(new).text_of(entry))


def _semver(version: str) -> None:
    try:
        Version.parse(version)
    except ValueError as error:
        raise ChangelogNotCut(f"{version} is not a SemVer 2.0 version", remedy='Write it as "1.2.0".') from error


def _lines(log: Changelog, unreleased: Entry, version: str, day: date) -> list[str]:
    """The lines with the new heading under that of [Unreleased], and the new link under its link."""
    end = "\r\n" if log.lines[unreleased.line - 1].endswith("\r\n") else "\n"
    heading = f"[{version}]" if unreleased.bracketed else version
    lines = list(log.lines)
    link = log.links.get(UNRELEASED.casefold())
    if link is not None:
        at, url = link
        old = lines[at]
        match = _COMPARE.fullmatch(url)
        if match is not None:
            tag = version if match["base"][:1].isdigit() else f"v{version}"
            lines[at] = old.replace(url, f"{match['repository']}/compare/{tag}...{match['head']}")
            own = f"[{version}]: {match['repository']}/compare/{match['base']}...{tag}"
            lines[at] = lines[at].rstrip("\r\n") + end + own + (end if old.endswith("\n") else "")
    if not lines[unreleased.line - 1].endswith("\n"):
        lines[unreleased.line - 1] += end
    lines.insert(unreleased.line, f"{end}## {heading} - {day.isoformat()}{end}")
    return lines


def with_items(text: str, items: Mapping[str, Sequence[str]]) -> str:
    """``text`` with ``items`` (lines by section) under [Unreleased], behind what is there. What is there already is not put in
    again."""
    for section in SECTIONS:
        for item in items.get(section, ()):
            text = _with_item(text, section, f"- {item.strip()}")
    return text


def _with_item(text: str, name: str, line: str) -> str:
    log = parse(text)
    lines = list(log.lines)
    end = "\r\n" if "\r\n" in text else "\n"
    if log.unreleased is None:
        at = log.entries[0].line - 1 if log.entries else len(lines)
        lines.insert(at, f"## [{UNRELEASED}]{end}{end}")
        if at and not lines[at - 1].endswith("\n"):
            lines[at - 1] += end
        return _with_item("".join(lines), name, line)
    entry = log.unreleased
    section = next((s for s in entry.sections if s.name == name), None)
    if section is not None and any(other.strip() == line for other in lines[section.first : section.stop]):
        return text
    if section is None:
        later = (s.line - 1 for s in entry.sections if s.name in SECTIONS[SECTIONS.index(name) :])
        at = next(later, _behind(lines, entry.first, entry.stop))
        before = end if at and lines[at - 1].strip() else ""
        put = f"{before}### {name}{end}{end}{line}{end}" + (end if at < len(lines) and lines[at].strip() else "")
    else:
        at = _behind(lines, section.first, section.stop)
        put = (end if at == section.first else "") + line + end
    if at and not lines[at - 1].endswith("\n"):
        lines[at - 1] += end
    lines.insert(at, put)
    return "".join(lines)


def _behind(lines: Sequence[str], first: int, stop: int) -> int:
    """Behind the last line that says something."""
    while stop > first and not lines[stop - 1].strip():
        stop -= 1
    return stop
