"""What Conventional Commits say of the commits since the last tag.

Source: Conventional Commits 1.0.0 (https://www.conventionalcommits.org/en/v1.0.0/). Which section a type belongs to is not said
there; what changes nothing for those who use the contracts (docs, tests, chores …) is left out unless it breaks something.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from chains.errors import printable
from pipeline.changelog.errors import NoCommits
from pipeline.versioning.numbers import is_stable, ordered

__all__ = ["Gathered", "gather", "item_of", "last_tag"]

_TIMEOUT_S = 60
_HEADER = re.compile(r"(?P<type>[A-Za-z]+)(?:\((?P<scope>[^()\r\n]+)\))?(?P<breaking>!)?: +(?P<text>\S.*)")
_FOOTER = re.compile(r"^BREAKING[ -]CHANGE: +(?P<text>\S.*(?:\n(?![A-Za-z-]+(?:: | #)).*)*)", re.MULTILINE)
_TYPES: Mapping[str, str] = {
    "feat": "Added",
    "fix": "Fixed",
    "perf": "Changed",
    "refactor": "Changed",
    "deprecate": "Deprecated",
    "revert": "Removed",
    "remove": "Removed",
    "security": "Security",
    "sec": "Security",
}
_SILENT_IF_PLAIN = {"refactor"}


@dataclass(frozen=True)
class Gathered:
    """Lines by section; ``since`` is the tag, ``None`` where there is none; ``passed_over`` counts commits without a line."""

    since: str | None
    items: Mapping[str, Sequence[str]]
    commits: int
    passed_over: int


def gather(root: Path, version: str) -> Gathered:
    """From the commits that touch ``root``, oldest first.

    Since the last tag; for a stable version since the last stable one, whose candidates come between. Raises ``NoCommits``.
    """
    wanted = ordered(version)
    since = last_tag(root, stable=wanted is not None and is_stable(wanted))
    reach = [f"refs/tags/{since}..HEAD"] if since else ["HEAD"]
    told = _git(root, "log", "-z", "--reverse", "--no-merges", "--format=%B", *reach, "--", ".")
    messages = [message for message in told.split("\0") if message.strip()]
    items: dict[str, list[str]] = {}
    passed_over = 0
    for message in messages:
        found = item_of(message)
        if found is None:
            passed_over += 1
            continue
        lines = items.setdefault(found[0], [])
        if found[1] not in lines:
            lines.append(found[1])
    return Gathered(since, items, len(messages), passed_over)


def last_tag(root: Path, *, stable: bool) -> str | None:
    """The highest version among the tags behind HEAD."""
    tags = [(version, tag) for tag in _git(root, "tag", "--merged", "HEAD").split() if (version := ordered(tag))]
    chosen = [(version, tag) for version, tag in tags if not stable or is_stable(version)]
    return max(chosen)[1] if chosen else None


def item_of(message: str) -> tuple[str, str] | None:
    """Section and line of one commit, ``None`` for one that is not conventional or tells users nothing."""
    first, _, body = message.strip().replace("\r\n", "\n").partition("\n")
    header = _HEADER.fullmatch(first.strip())
    if header is None:
        return None
    kind = header["type"].lower()
    footer = _FOOTER.search(body)
    breaking = bool(header["breaking"] or footer)
    section = _TYPES.get(kind)
    if not breaking and (section is None or kind in _SILENT_IF_PLAIN):
        return None
    text = header["text"].strip()
    if header["scope"]:
        text = f"{header['scope']}: {text}"
    if breaking:
        told = " ".join(footer["text"].split()) if footer else ""
        text = f"**Breaking:** {text}" + (f" ({told})" if told else "")
    return section or "Changed", _plain(text)


def _plain(text: str) -> str:
    """One line, which no commit can make a heading, an image or HTML of."""
    return printable(" ".join(text.split()), 500).replace("<", "&lt;").replace("![", "!\\[")


def _git(root: Path, *arguments: str) -> str:
    environment = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
    try:
        done = subprocess.run(
            ["git", "--no-optional-locks", "-C", str(root), *arguments],
            capture_output=True,
            timeout=_TIMEOUT_S,
            env={**environment, "LC_ALL": "C.UTF-8"},
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoCommits(f"git cannot be asked: {type(error).__name__}", remedy="Install git.") from error
    if done.returncode != 0:
        told = printable(done.stderr.decode("utf-8", "replace").strip(), 300)
        raise NoCommits(f"git does not tell the commits: {told}", remedy="Run it in a repository with commits.")
    return done.stdout.decode("utf-8", "replace")
