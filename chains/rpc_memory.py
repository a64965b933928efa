"""Answers of a moment ago, by endpoint: what one step has just asked, the next need not ask again.

Only whoever reads says how old an answer may be (``Rpc.read_all(max_age_s=…)``); nothing is remembered for those who
do not ask. Sends and looks at transactions under way never use it.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from typing import Any

from chains.base import Clock

__all__ = ["Recent"]

_KEPT_S = 10.0


class Recent:
    """What each endpoint answered lately. Faults are not kept: they may pass."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._answers: dict[tuple[int, str], tuple[float, Any]] = {}
        self._lock = threading.Lock()

    def keep(self, endpoint: object, requests: Sequence[tuple[str, list[Any]]], answers: Sequence[Any]) -> None:
        now_s = self._clock.monotonic_s()
        with self._lock:
            self._answers = {k: v for k, v in self._answers.items() if now_s - v[0] < _KEPT_S}
            for request, answer in zip(requests, answers, strict=True):
                if not isinstance(answer, Exception):
                    self._answers[self._key(endpoint, request)] = (now_s, answer)

    def find(self, endpoint: object, requests: Sequence[tuple[str, list[Any]]], max_age_s: float) -> list[Any] | None:
        """The answers to all requests, none older than ``max_age_s``; else ``None``."""
        oldest_s = self._clock.monotonic_s() - max_age_s
        with self._lock:
            found = [self._answers.get(self._key(endpoint, request)) for request in requests]
        answers = [entry[1] for entry in found if entry is not None and entry[0] >= oldest_s]
        return answers if len(answers) == len(found) else None

    @staticmethod
    def _key(endpoint: object, request: tuple[str, list[Any]]) -> tuple[int, str]:
        return id(endpoint), json.dumps(request)
