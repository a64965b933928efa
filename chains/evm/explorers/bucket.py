"""One token bucket an API key: the allowance is the key's, whichever chain or target the request is for."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from chains.base import Clock
from chains.evm.explorers.base import Crowded, ExplorerStopped

__all__ = ["TokenBucket"]

_WIDER = 1.1
_PATIENCE_S = 2.0


@dataclass
class TokenBucket:
    """``rate_per_s`` requests a second, one at a time from the first on; shared by threads.

    A full second's allowance at once would exceed the rate in the window that follows, so requests are spaced evenly, and
    a little wider than the rate says: what counts is when they arrive, and the way there varies.
    A key that a service refuses is refused for every chain: ``stop`` ends all that share the bucket.
    """

    rate_per_s: float
    clock: Clock
    _next_s: float = 0.0
    _stopped: str | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def take(self) -> None:
        """Wait for one's turn. Raises ``Crowded`` if that is seconds away, ``ExplorerStopped`` once the key was refused."""
        self._go_on()
        with self._lock:
            now_s = self.clock.monotonic_s()
            turn_s = max(now_s, self._next_s)
            if turn_s - now_s > _PATIENCE_S:
                raise Crowded("others with the same key are before us", turn_s - now_s - _PATIENCE_S / 2)
            self._next_s = turn_s + _WIDER / self.rate_per_s
        if turn_s > now_s:
            self.clock.sleep_s(turn_s - now_s)
        self._go_on()  # the key may have been refused meanwhile, and every further use of it counts against it

    def hold_off(self, seconds: float) -> None:
        """Nobody's turn comes within ``seconds``: the service said that it was asked too often."""
        with self._lock:
            self._next_s = max(self._next_s, self.clock.monotonic_s() + seconds)

    def stop(self, reason: str) -> None:
        """The service does not take this key: nobody's turn comes any more."""
        with self._lock:
            self._stopped = self._stopped or reason

    def _go_on(self) -> None:
        if self._stopped is not None:
            raise ExplorerStopped(self._stopped)
