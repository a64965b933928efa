"""``ship history`` for people and for programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from chains.errors import printable
from pipeline.history.model import Event, History
from pipeline.manifest.project import Project
from pipeline.ui.table import Cell, Row, table

__all__ = ["document", "render"]

_COLOURS = {
    "release": "green",
    "adoption": "cyan",
    "rollback": "yellow",
    "rotation": "cyan",
    "finalization": "red",
    "buffers": "cyan",
}


def document(project: Project, history: History) -> Mapping[str, Any]:
    """The document of ``ship history --json``."""
    return {
        "schema": 1,
        "kind": "contract-ship/history",
        "project": project.name,
        "events": [event.to_json() for event in history.events],
        "problems": [{"target": problem.target, "text": problem.text} for problem in history.problems],
    }


def render(history: History) -> list[str]:
    if not history.events and not history.problems:
        return ["Nothing has happened yet. `ship deploy` makes the first release."]
    lines: list[str] = []
    for target in dict.fromkeys([*(e.target for e in history.events), *(p.target for p in history.problems)]):
        lines += [target, *(line for e in history.events if e.target == target for line in _event(e)), ""]
        lines += [f"  ! {problem.text}" for problem in history.problems if problem.target == target]
    return lines[:-1] if lines and not lines[-1] else lines


def _event(event: Event) -> Iterator[str]:
    commit = f"commit {event.commit[:12]}{' + changes' if event.dirty else ''}" if event.commit else "no commit"
    when = f"{event.at[:19].replace('T', ' ')} UTC" if event.at else "when is not known"
    head: Row = [Cell(event.kind, _COLOURS[event.kind]), event.tag or "?", when, commit]
    yield from table([head])
    by = ", ".join(event.approvers) or event.approved_by or "?"
    sent = (
        f", {event.transactions} transaction{'s' * (event.transactions != 1)}" if event.transactions is not None else ""
    )
    yield f"    approved by {printable(by)}, signed by {event.signer or '?'}{sent}"
    yield from table(((c.what, c.change, printable(c.detail)) for c in event.changes), indent=4)
    yield f"    {event.record}"
    yield from (f"    ! {note}" for note in event.notes)
