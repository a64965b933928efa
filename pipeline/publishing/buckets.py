"""The allowances at explorers, shared by everything a run asks."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from chains.base import Clock, SystemClock
from chains.evm.explorers.bucket import TokenBucket

__all__ = ["Buckets"]


@dataclass
class Buckets:
    """One allowance a service and key, whichever target or thread asks; made once for a whole run."""

    clock: Clock = field(default_factory=SystemClock)
    _made: dict[tuple[str, str | None], TokenBucket] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def of(self, url: str, key: str | None, rate_per_s: float) -> TokenBucket:
        with self._lock:
            return self._made.setdefault((url, key), TokenBucket(rate_per_s, self.clock))
