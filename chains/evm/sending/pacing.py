"""When to look next: shortly before the next block is due where blocks come regularly, else at a fixed pace.

Only headers that were read anyway count, by the difference between a block's timestamp and the moment it was first seen.
The machine's date plays no part, and being wrong costs time, never safety.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from itertools import pairwise

from chains.evm.node import Head

__all__ = ["Pace"]

_KEPT = 8
_NEEDED = 3
_ON_DEMAND_S = 0.1
"""A chain polled faster than this makes blocks when there is something to put into them."""


@dataclass
class Pace:
    """``poll_s`` is the fixed pace."""

    poll_s: float
    _blocks: deque[tuple[int, int, float]] = field(default_factory=lambda: deque(maxlen=_KEPT))

    def saw(self, head: Head | None, at_s: float) -> None:
        """A look at ``at_s`` of a steady clock found this head."""
        if head is None or (self._blocks and head.number == self._blocks[-1][0]):
            return
        if self._blocks and (head.number < self._blocks[-1][0] or head.timestamp_s <= self._blocks[-1][1]):
            self._blocks.clear()  # another branch, another node: begin anew
        self._blocks.append((head.number, head.timestamp_s, at_s))

    def pause_s(self, now_s: float) -> float:
        """How long nothing new can be expected; ``poll_s`` where that is not known."""
        due_s = self._due_s()
        if due_s is None:
            return self.poll_s
        # A little early: a block that is there already at each awakening would never show how late we are.
        early_s = due_s - self.poll_s / 2
        if now_s < early_s:
            return early_s - now_s
        return self.poll_s / 4 if now_s < due_s + self.poll_s else self.poll_s

    def _due_s(self) -> float | None:
        """When the next block is expected at the earliest; ``None`` where they come irregularly."""
        if len(self._blocks) < _NEEDED or self.poll_s < _ON_DEMAND_S:
            return None
        steps = [(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(self._blocks)]
        interval_s = min(seconds // blocks for blocks, seconds in steps)
        if interval_s < 1 or any(seconds % interval_s for _, seconds in steps):
            return None  # a slot without a block is regular; anything in between is not
        behind_s = [at_s - timestamp_s for _, timestamp_s, at_s in self._blocks]
        if max(behind_s) - min(behind_s) > interval_s / 2:
            return None  # timestamps that go up by one a block say nothing where blocks are made on demand
        return self._blocks[-1][1] + interval_s + min(behind_s)
