"""A way back for people: what goes back to what, by whom, and what stays as it is."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.plan import Plan
from pipeline.plan_text import render_plan
from pipeline.rollback.history import Course
from pipeline.rollback.model import Requires, UnitWay, Way

__all__ = ["render_course"]


def render_course(course: Course, way: Way, plan: Plan | None, currency: str) -> str:
    """Plain text, the same on a terminal, in a log and in a pull request."""
    now, then = course.rolls_back.plan, course.returns_to.plan if course.returns_to else None
    if plan is None:
        return f"\n{now.target} is at {then.tag if then else now.tag} already: nothing to send"
    lines = [f"\nback from {now.tag} to {then.tag if then else 'nothing: it was the first release'}, {way.capability}"]
    for unit in way.units:
        lines += _unit(unit)
    for call, need in way.turns:
        lines.append(f"  by {_who(need)}: {call.title}")
    if way.to_accept:
        lines += ["", "  has to be accepted (--accept-state-risks):", *(f"  ! {text}" for text in way.to_accept)]
    lines += ["", render_plan(plan, currency), "", "  nothing was sent; `--execute` goes back"]
    return "\n".join(lines)


def _unit(unit: UnitWay) -> Iterator[str]:
    before, after = unit.moved.before, unit.moved.after
    yield f"  {unit.moved.name}  {unit.strategy}, {unit.capability}, {after.address}"
    if unit.call is not None:
        yield f"      from {after.implementation}  init code {after.implementation_init_code or 'not recorded'}"
        yield f"      to   {before.implementation}  init code {before.implementation_init_code or 'not recorded'}"
    elif before.address != after.address:
        yield f"      from {after.address}  init code {after.init_code or 'not recorded'}"
        yield f"      to   {before.address}  init code {before.init_code or 'not recorded'}"


def _who(need: Requires) -> str:
    if need.authority is None:
        return "nobody that is known"
    if need.kind == "safe":
        return f"the Safe {need.authority}, {need.threshold} signature{'s' if need.threshold != 1 else ''}"
    if need.kind == "timelock":
        return f"the timelock {need.authority}, after {need.timelock_s} s"
    return f"{need.authority}"
