"""How one endpoint of a pool has been doing: put aside after failures, for a time that grows and is never the same twice."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from chains.base import Clock

__all__ = ["Health"]

_FIRST_S = 0.1
_LONGEST_S = 5.0
_DOUBTFUL_AFTER = 2
"""A node that failed this often in a row may come back as another chain: a restarted one, or another one behind the
same name. One lost reply is no reason to ask."""


@dataclass
class Health:
    """``failures`` in a row; not asked again before ``away_until_s`` (monotonic). ``doubtful``: its chain has to be
    confirmed before its word counts again."""

    failures: int = 0
    away_until_s: float = 0.0
    doubtful: bool = False
    _random: random.Random = field(default_factory=random.SystemRandom)

    def failed(self, clock: Clock, *, doubtful: bool = False) -> None:
        """Put it aside: 0.1 s, doubling to 5 s, each time between half and one and a half of that."""
        delay_s = min(_FIRST_S * 2.0 ** min(self.failures, 10), _LONGEST_S)
        self.failures += 1
        self.away_until_s = clock.monotonic_s() + delay_s * (0.5 + self._random.random())
        self.doubtful |= doubtful or self.failures >= _DOUBTFUL_AFTER

    def worked(self) -> None:
        self.failures, self.away_until_s, self.doubtful = 0, 0.0, False
