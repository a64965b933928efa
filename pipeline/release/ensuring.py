"""Look; write if it is missing; look again. The reply to a write is not what decides: what is there afterwards is."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from chains.base import Clock
from pipeline.github.errors import GithubRejected, GithubUnanswered
from pipeline.release.errors import NotSeen

__all__ = ["ensure"]

T = TypeVar("T")
_TAKEN = {409, 422}
"""GitHub's answers to what is there already."""
_WAITS_S = (0.0, 0.5, 1.5, 3.0)
"""A write can be done a moment before the next read shows it."""


def ensure(look: Callable[[], T | None], write: Callable[[], object], what: str, clock: Clock) -> tuple[T, bool]:
    """What ``look`` finds, and whether this call made it. Written once at most: a lost reply is looked behind, not repeated.

    Raises ``NotSeen``, and what the write raised where nothing is there.
    """
    found = look()
    if found is not None:
        return found, False
    failure: GithubUnanswered | GithubRejected | None = None
    try:
        write()
    except GithubUnanswered as error:
        failure = error
    except GithubRejected as error:
        if error.status not in _TAKEN:
            raise
        failure = error
    for wait_s in _WAITS_S[:2] if failure else _WAITS_S:
        clock.sleep_s(wait_s)
        found = look()
        if found is not None:
            return found, True
    if failure is not None:
        raise failure
    raise NotSeen(f"GitHub took {what} and does not show it", remedy="Run the same command again.")
