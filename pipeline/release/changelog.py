"""The changelog's entry for a version, in the form of Keep a Changelog."""

from __future__ import annotations

import re

from pipeline.manifest.project import Project

__all__ = ["changelog_entry"]


def changelog_entry(project: Project, reasons: list[tuple[str, str]]) -> str:
    """What stands under ``## [version]``; a missing or empty entry is added to ``reasons``. No changelog, no entry."""
    path = project.changelog
    if path is None:
        return ""
    heading = f"## [{project.version}]"
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        reasons.append((f"{path.name} cannot be read", f"Write it, with an entry {heading}."))
        return ""
    match = re.search(
        rf"^##[ \t]+\[?v?{re.escape(project.version)}\]?(?=[\s(\-–]|$)[^\n]*\n(.*?)(?=^##[ \t]|^\[[^\]\n]+\]:|\Z)",
        text,
        re.MULTILINE | re.DOTALL,
    )
    entry = match[1].strip() if match else ""
    if not entry:
        what = "has an empty entry" if match else "has no entry"
        reasons.append((f"{path.name} {what} for {project.version}", f"Add what changed under {heading}."))
    return entry
