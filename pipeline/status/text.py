"""The status for people."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.status.model import ProjectStatus, TargetStatus, UnitStatus
from pipeline.ui.table import Cell, Row, state_cell, table

__all__ = ["render_status"]


def render_status(status: ProjectStatus) -> list[str]:
    """A block for each target: what is live, what differs, what drifted, what is unfinished."""
    if not status.targets:
        return [
            f"{status.project} {status.version} is not deployed anywhere yet.",
            "Begin with `ship plan --chain local`.",
        ]
    lines: list[str] = []
    for target in status.targets:
        lines += [*_target(target), ""]
    return lines[:-1]


def _target(target: TargetStatus) -> Iterator[str]:
    chain = f": {target.chain['title']}" if target.chain else ""
    if target.chain and target.chain["id"] is not None:
        chain += f" (chain {target.chain['id']})"
    yield from table([(Cell(f"{target.name}{chain}", bold=True),)], indent=0)
    rows: list[Row] = []
    for unit in target.units:
        rows += _unit(unit)
    yield from table(rows)
    if not target.units and target.error is None:
        yield "  nothing is deployed here yet"
    for drift in target.drift:
        found = drift.found or "nothing"
        line = f"{drift.unit}: {drift.what} of {drift.address} is {found}, recorded was {drift.recorded}"
        yield from table([(state_cell("drift"), line)])
    if target.drift:
        yield "         → Somebody changed it outside ship, or the chain was reset. Settle it before deploying."
    if target.unfinished is not None:
        rest = target.unfinished
        stages = ", ".join(f"{count} {stage}" for stage, count in rest.stages.items())
        yield f"  unfinished: plan {rest.plan[:12]} of v{rest.version}, {rest.actions} transactions ({stages})"
        yield f"         → `{rest.resume}` carries it on; with --replan it is given up."
    if target.compared_with is not None:
        yield f"  compared with bundle {target.compared_with[:12]} of these sources"
    elif target.not_compared is not None:
        yield f"  not compared: {target.not_compared}"
    if target.error is not None:
        yield from table([(state_cell("failed"), f"{target.error['code']}: {target.error['cause']}")])
        yield f"          → {target.error['remedy']}"


def _unit(unit: UnitStatus) -> Iterator[Row]:
    state = Cell("", None) if unit.comparison == "not compared" else state_cell(unit.comparison)
    proxy = "" if unit.proxy == "none" else unit.proxy
    note = "call" if unit.kind == "call" and unit.comparison in {"same", "not compared"} else unit.note
    place = unit.address or ("done" if unit.version else "")
    yield state, unit.name, place, f"v{unit.version}" if unit.version else "", proxy or note
    if unit.implementation:
        yield "", "", unit.implementation, "", f"implementation{', ' + unit.note if unit.note else ''}"
    if unit.beacon:
        yield "", "", unit.beacon, "", "beacon"
    if unit.admin:
        yield "", "", unit.admin, "", "admin"
