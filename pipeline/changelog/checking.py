"""``ship changelog check``: the form of Keep a Changelog, and the entry of a version."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

from semver import Version

from chains.errors import Where
from pipeline.changelog.errors import ChangelogInvalid, NoChangelog
from pipeline.changelog.parsing import SECTIONS, Changelog, Entry, parse
from pipeline.manifest.project import Project

__all__ = ["changelog_path", "check_changelog", "problems_in", "read_changelog"]

_DATED = re.compile(r"(\d{4}-\d{2}-\d{2})(?:[ \t]+\[YANKED\])?")


def changelog_path(project: Project) -> Path:
    """Raises ``NoChangelog``."""
    if project.changelog is None:
        raise NoChangelog(
            "the project names no changelog",
            remedy='Add changelog = "CHANGELOG.md" under [project] in ship.toml.',
            where=project.document.where(("project", "changelog")),
        )
    return project.changelog


def read_changelog(path: Path) -> str:
    """Line ends as they are. Raises ``NoChangelog``."""
    try:
        return path.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise NoChangelog(
            f"{path.name} cannot be read: {reason}",
            remedy="Write one: # Changelog, then ## [Unreleased].",
            where=Where(path.name),
        ) from error


def check_changelog(project: Project, version: str | None) -> Entry | None:
    """Check the project's changelog; with ``version`` also that it has an entry that says something.

    Raises ``ChangelogInvalid`` with every problem, and ``NoChangelog``.
    """
    path = changelog_path(project)
    log = parse(read_changelog(path))
    problems = problems_in(log, path.name, version)
    if problems:
        raise ChangelogInvalid.of(problems)
    return log.entry(version) if version else None


def problems_in(log: Changelog, file: str, version: str | None = None) -> list[ChangelogInvalid]:
    """Every problem, in the order of the file."""
    found = [*_form(log), *_order(log), *_links(log), *_wanted(log, version)]
    return [
        ChangelogInvalid(cause, remedy=remedy, where=Where(file, line))
        for line, cause, remedy in sorted(found, key=lambda p: p[0])
    ]


_Problem = tuple[int, str, str]


def _form(log: Changelog) -> Iterator[_Problem]:
    if not log.titled:
        yield 1, "There is no title.", "Begin with # Changelog."
    seen: dict[str, int] = {}
    for number, entry in enumerate(log.entries):
        if (first := seen.setdefault(entry.name.casefold(), entry.line)) != entry.line:
            yield entry.line, f"{entry.name} has an entry in line {first} already.", "Put the two together."
        if entry.unreleased:
            if number:
                yield entry.line, "[Unreleased] is not the first entry.", "Move it above all versions."
        else:
            yield from _heading(entry)
        yield from _sections(entry)


def _heading(entry: Entry) -> Iterator[_Problem]:
    if _semver(entry) is None:
        yield entry.line, f"{entry.name} is not a SemVer 2.0 version.", "Write ## [1.2.0] - 2026-11-24."
    if _date(entry) is None:
        yield (
            entry.line,
            f"{entry.name} has no date in ISO form: {entry.rest[:40] or 'nothing stands behind the version'}.",
            f"Write ## [{entry.name}] - 2026-11-24.",
        )


def _semver(entry: Entry) -> Version | None:
    try:
        return Version.parse(entry.name)
    except ValueError:
        return None


def _date(entry: Entry) -> date | None:
    match = _DATED.fullmatch(entry.rest)
    try:
        return date.fromisoformat(match[1]) if match else None
    except ValueError:
        return None


def _sections(entry: Entry) -> Iterator[_Problem]:
    seen: set[str] = set()
    for section in entry.sections:
        if section.name not in SECTIONS:
            yield (
                section.line,
                f"{section.name} is no section of Keep a Changelog.",
                f"Use one of {', '.join(SECTIONS)}.",
            )
        if section.name in seen:
            yield section.line, f"{section.name} stands twice under {entry.name}.", "Put the two together."
        if not section.filled and not entry.unreleased:
            yield section.line, f"{section.name} of {entry.name} is empty.", "Leave out sections that say nothing."
        seen.add(section.name)


def _order(log: Changelog) -> Iterator[_Problem]:
    """Newest first. A patch of an older line may come after a higher version; on one day the higher stands first."""
    above: tuple[date, Version, Entry] | None = None
    for entry in log.entries:
        day, version = _date(entry), _semver(entry)
        if day is None or version is None:
            continue
        if above is not None:
            if day > above[0]:
                yield (
                    entry.line,
                    f"{entry.name} is of {day}, which is after {above[2].name} above it, of {above[0]}.",
                    "Put the newest first.",
                )
            elif day == above[0] and version > above[1]:
                yield (
                    entry.line,
                    f"{entry.name} stands below {above[2].name}, which is lower.",
                    "Put the highest first.",
                )
        above = (day, version, entry)


def _links(log: Changelog) -> Iterator[_Problem]:
    """Where versions are linked, all are: a bracket without its link shows as plain text."""
    linked = [entry for entry in log.entries if entry.name.casefold() in log.links]
    for entry in log.entries if linked else ():
        if entry.bracketed and entry not in linked:
            yield (
                entry.line,
                f"[{entry.name}] has no link, others have.",
                f"Add [{entry.name}]: and its address at the end.",
            )


def _wanted(log: Changelog, version: str | None) -> Iterator[_Problem]:
    if version is None:
        return
    entry = log.entry(version)
    if entry is None:
        yield (
            1,
            f"There is no entry for {version}.",
            f"Run `ship changelog cut {version}`, or write ## [{version}] with its date.",
        )
    elif not entry.filled:
        yield entry.line, f"The entry for {version} says nothing.", "Say what changed."
