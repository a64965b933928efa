"""What tells the plan of a rotation from any other."""

from __future__ import annotations

from pipeline.plan import Plan

__all__ = ["is_rotation"]


def is_rotation(plan: Plan) -> bool:
    """A plan that hands over and touches no unit is one; ``ship deploy`` makes none like it."""
    return plan.body.handover is not None and not plan.body.units
