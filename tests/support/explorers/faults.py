"""Faults between a client and an explorer, seeded: each fires so often, by chance, or always.

    service.faults.add(rate_limited("verifysourcecode"), lost_reply("checkverifystatus", times=2))

What an explorer itself does wrong (it has not seen a contract yet, is slow, claims success) is set on its desk: ``desk.py``.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # serving.py meets these faults, and imports this file
    from tests.support.explorers.serving import Reply, Request, Service

__all__ = [
    "Drop",
    "Fault",
    "Faults",
    "Reset",
    "drip",
    "empty",
    "html",
    "lost_reply",
    "oversized",
    "queued_already",
    "rate_limited",
    "redirect",
    "reset",
    "status",
    "storm",
    "truncated",
]


class Drop(Exception):
    """Close the connection without an answer."""


class Reset(Exception):
    """End the connection with RST, before the request is looked at."""


Act = Callable[["Service", "Request"], "Reply"]


@dataclass
class Fault:
    """``calls``: which it is about, all where empty. ``times`` is how often it fires (``None``: always)."""

    name: str
    calls: tuple[str, ...]
    act: Act
    times: int | None = 1
    chance: float = 1.0
    after: int = 0
    fired: int = 0
    seen: int = 0

    def wants(self, call: str, draw: float) -> bool:
        if self.calls and call not in self.calls:
            return False
        self.seen += 1
        if self.seen <= self.after or (self.times is not None and self.fired >= self.times) or draw >= self.chance:
            return False
        self.fired += 1
        return True


@dataclass
class Faults:
    """Tried in order for every request; the first that fires is met."""

    seed: int = 0
    rules: list[Fault] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._lock = threading.Lock()

    def add(self, *faults: Fault) -> None:
        with self._lock:
            self.rules += faults

    def clear(self) -> None:
        with self._lock:
            self.rules.clear()

    def meet(self, call: str) -> Fault | None:
        with self._lock:
            return next((rule for rule in self.rules if rule.wants(call, self._random.random())), None)


# -- the kinds of fault ----------------------------------------------------------------------------------------------


def rate_limited(*calls: str, times: int | None = 1, chance: float = 1.0, after: int = 0) -> Fault:
    return Fault("rate limited", calls, lambda service, _: service.dialect.too_often(), times, chance, after)


def queued_already(*calls: str, times: int | None = 1, chance: float = 1.0, after: int = 0) -> Fault:
    """The answer for a submission that is in the queue already, of one that is not."""
    return Fault("queued already", calls, lambda service, _: service.dialect.in_queue(), times, chance, after)


def status(
    code: int, *calls: str, handled: bool = False, times: int | None = 1, chance: float = 1.0, after: int = 0
) -> Fault:
    """An HTTP status with a page; ``handled``: what was asked is done all the same."""
    page = f"<html><h1>{code}</h1></html>".encode()
    return _instead(f"HTTP {code}", calls, page, code=code, handled=handled, times=times, chance=chance, after=after)


def html(*calls: str, handled: bool = False, times: int | None = 1, chance: float = 1.0, after: int = 0) -> Fault:
    """A page for people, with status 200."""
    page = b"<!DOCTYPE html><html><title>Just a moment...</title></html>"
    return _instead("HTML", calls, page, handled=handled, times=times, chance=chance, after=after)


def empty(*calls: str, handled: bool = False, times: int | None = 1, chance: float = 1.0, after: int = 0) -> Fault:
    return _instead("empty", calls, b"", handled=handled, times=times, chance=chance, after=after)


def oversized(size: int, *calls: str, times: int | None = 1, chance: float = 1.0, after: int = 0) -> Fault:
    body = b'{"status":"1","message":"OK","result":"' + b"x" * size + b'"}'
    return _instead("oversized", calls, body, times=times, chance=chance, after=after)


def redirect(to: str, *calls: str, times: int | None = 1, chance: float = 1.0, after: int = 0) -> Fault:
    def act(service: Service, request: Request) -> Reply:
        return replace(service.dialect.too_often(), status=302, body=b"", headers={"Location": to})

    return Fault("redirect", calls, act, times, chance, after)


def lost_reply(*calls: str, times: int | None = 1, chance: float = 1.0, after: int = 0) -> Fault:
    """What is asked is done, and the connection closed without a word."""

    def act(service: Service, request: Request) -> Reply:
        service.dialect.handle(request)
        raise Drop

    return Fault("lost reply", calls, act, times, chance, after)


def reset(*calls: str, times: int | None = 1, chance: float = 1.0, after: int = 0) -> Fault:
    """The connection is reset before what is asked was looked at."""

    def act(service: Service, request: Request) -> Reply:
        raise Reset

    return Fault("reset", calls, act, times, chance, after)


def drip(*calls: str, times: int | None = 1, chance: float = 1.0, after: int = 0) -> Fault:
    """What is asked is done; the reply comes a byte at a time and has no end."""

    def act(service: Service, request: Request) -> Reply:
        return replace(service.dialect.handle(request), drip=True)

    return Fault("drip", calls, act, times, chance, after)


def truncated(*calls: str, times: int | None = 1, chance: float = 1.0, after: int = 0) -> Fault:
    def act(service: Service, request: Request) -> Reply:
        reply = service.dialect.handle(request)
        return replace(reply, body=reply.body[: len(reply.body) // 2])

    return Fault("truncated", calls, act, times, chance, after)


def storm(share: float = 0.15, submit: str = "verifysourcecode") -> list[Fault]:
    """A bit of everything, each with its own chance; ``submit`` is the call that hands sources in."""
    some = share / 5
    return [
        rate_limited(times=None, chance=some),
        status(502, times=None, chance=some),
        status(503, submit, handled=True, times=None, chance=share),
        html(times=None, chance=some),
        empty(times=None, chance=some),
        truncated(times=None, chance=some),
        lost_reply(submit, times=None, chance=share),
        reset(times=None, chance=some),
    ]


def _instead(
    name: str,
    calls: tuple[str, ...],
    body: bytes,
    *,
    code: int = 200,
    handled: bool = False,
    times: int | None,
    chance: float,
    after: int,
) -> Fault:
    """``body`` in place of the answer."""

    def act(service: Service, request: Request) -> Reply:
        reply = service.dialect.handle(request) if handled else service.dialect.too_often()
        return replace(reply, status=code, body=body, kind="text/html")

    return Fault(name, calls, act, times, chance, after)
