"""What tells the plan of a rollback from any other."""

from __future__ import annotations

from pipeline.plan import Plan

__all__ = ["is_rollback"]


def is_rollback(plan: Plan) -> bool:
    """``ship deploy`` makes none like it."""
    return plan.rollback is not None
