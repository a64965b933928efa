"""What a chain needs from outside, declared here and handed in by ``pipeline`` (design law 9)."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

__all__ = ["Clock", "Journal", "Progress", "Row", "SystemClock"]


@dataclass(frozen=True)
class Row:
    """One journal entry: ``kind`` is dotted (``tx.signed``), ``data`` plain JSON, ``at`` RFC 3339 UTC."""

    seq: int
    at: str
    kind: str
    data: Mapping[str, Any]


class Journal(Protocol):
    """An append-only log. Both ways to append return only when the rows are on disk; many are written as one."""

    @property
    def rows(self) -> Sequence[Row]: ...

    def append(self, kind: str, data: Mapping[str, Any]) -> Row: ...

    def append_all(self, entries: Sequence[tuple[str, Mapping[str, Any]]]) -> Sequence[Row]: ...


class Clock(Protocol):
    """Time, so that tests need not wait. Nothing that is unsafe may depend on ``now_s`` (fault 57)."""

    def monotonic_s(self) -> float: ...

    def sleep_s(self, seconds: float) -> None: ...


class SystemClock:
    """The machine's clock."""

    def monotonic_s(self) -> float:
        return time.monotonic()

    def sleep_s(self, seconds: float) -> None:
        time.sleep(seconds)


class Progress(Protocol):
    """Told of every change a person may want to watch. ``item`` is an action id, ``state`` a word, ``note`` a detail."""

    def item(self, item: str, state: str, note: str = "") -> None: ...

    def note(self, text: str) -> None: ...
