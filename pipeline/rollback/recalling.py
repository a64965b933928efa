"""What earlier rollback records say of a pair of implementations, for a machine that has not the bundles to compare them."""

from __future__ import annotations

from pipeline.rollback.model import Moved
from pipeline.rollback.record import find_rollbacks
from pipeline.rollback.storage import Reverse
from pipeline.state.local import TargetState

__all__ = ["recalled"]


def recalled(state: TargetState, moved: Moved) -> Reverse | None:
    """The reverse comparison made when the release was planned, of exactly these two implementations."""
    for _, record in find_rollbacks(state):
        for unit in record["units"]:
            before, after = record["before"].get(unit["unit"]), record["after"].get(unit["unit"])
            if unit["storage"] is None or before is None or after is None:
                continue
            pair = before["implementation"], after["implementation"]
            if pair == (moved.before.implementation, moved.after.implementation) and unit["storage"]["unknown"] is None:
                return Reverse.from_json(unit["storage"])
    return None
