"""A call with an end: for clients and libraries whose own time limits leave a way to wait for ever."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

__all__ = ["TooLate", "within"]

T = TypeVar("T")


class TooLate(Exception):
    """The call did not end in time. It may still end; what it gives then is dropped."""


def within(limit_s: float, call: Callable[[], T]) -> T:
    """What ``call`` gives or raises, if it does so within ``limit_s``. Raises ``TooLate``.

    The thread is a daemon: one that hangs in foreign code does not keep ``ship`` from ending.
    """
    answer: Future[T] = Future()

    def run() -> None:
        try:
            answer.set_result(call())
        except BaseException as error:  # noqa: BLE001 - raised again where it was asked for
            answer.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    try:
        return answer.result(max(limit_s, 0.0))
    except TimeoutError:
        if answer.done():  # the call's own
            raise
        raise TooLate from None
