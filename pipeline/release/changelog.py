"""The changelog's entry for a version, in the form of Keep a Changelog."""

from __future__ import annotations

import re

from pipeline.manifest.project import Project

__all__ = ["changelog_entry"]


def changelog_entry(project: Project, reasons: list[tuple[str, str]], candidate: str | None = None) -> str:
    """What stands under ``## [version]``; a missing or empty entry is added to ``reasons``. No changelog, no entry.

    The commit of a promotion may know the version as its ``candidate`` only: then that entry will do.
    """
    path = project.changelog
    if path is None:
        return ""
    heading = f"## [{project.version}]"
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        reasons.append((f"{path.name} cannot be read", f"Write it, with an entry {heading}."))
        return ""
    match = _under(text, project.version) or (_under(text, candidate) if candidate else None)
    entry = match[1].strip() if match else ""
    if not entry:
        what = "has an empty entry" if match else "has no entry"
        reasons.append((f"{path.name} {what} for {project.version}", f"Add what changed under {heading}."))
    return entry


def _under(text: str, version: str) -> re.Match[str] | None:
    return re.search(
        rf"^##[ \t]+\[?v?{re.escape(version)}\]?(?=[\s(\-–]|$)[^\n]*\n(.*?)(?=^##[ \t]|^\[[^\]\n]+\]:|\Z)",
        text,
        re.MULTILINE | re.DOTALL,
    )
