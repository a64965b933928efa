"""``ship version`` for people and for programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from chains.errors import printable
from pipeline.manifest.project import Project
from pipeline.ui.table import Cell, Row, table
from pipeline.versioning.deciding import Decision, Held
from pipeline.versioning.numbers import Level, core

__all__ = ["document", "render"]

_COLOURS = {Level.MAJOR: "red", Level.MINOR: "yellow", Level.PATCH: "green"}


def document(project: Project, decision: Decision, written: Sequence[str]) -> Mapping[str, Any]:
    """The document of ``ship version --json``."""
    least = decision.least
    return {
        "schema": 1,
        "kind": "contract-ship/version",
        "project": project.name,
        "version": project.version,
        "bundle": decision.bundle,
        "level": decision.level.word,
        "least": str(least) if least is not None else None,
        "enough": _enough(decision),
        "next": str(decision.next) if decision.next is not None else None,
        "held_against": [held.to_json() for held in decision.held],
        "written": list(written),
    }


def _enough(decision: Decision) -> bool:
    return decision.least is None or core(decision.stated) >= decision.least


def render(project: Project, decision: Decision, written: Sequence[str]) -> list[str]:
    lines = [line for held in decision.held for line in _held(held)]
    if not decision.held:
        lines += ["there is no stable release yet: the first version is yours to choose", ""]
    if decision.next is None:
        lines.append(f"no release needed: nothing differs from {', '.join(held.base.tag for held in decision.held)}")
    else:
        lines.append(f"next    {decision.next}")
    says = f"now     {project.version}"
    lines.append(says if _enough(decision) else f"{says}, too small: at least {decision.least}")
    return [*lines, *(f"wrote   {name}" for name in written)]


def _held(held: Held) -> Iterator[str]:
    base, floor = held.base, held.floor
    what = "the same" if floor.level is Level.NONE else f"{floor.level.word}, so {held.least} or higher"
    yield f"against {base.tag} on {', '.join(base.targets)} (bundle {base.bundle[:12]}): {what}"
    rows: list[Row] = [
        (Cell(reason.level.word, _COLOURS[reason.level]), reason.unit, printable(reason.text))
        for reason in floor.reasons
    ]
    if rows:
        yield from table(rows)
    yield from (f"  not compared: {text}" for text in floor.left_out)
    yield ""
