"""Publishing many sources at many services side by side, bounded in threads, requests a second, and time.

Each service has its own few threads, so that a slow one holds up no other; each errand (``errands.py``) is advanced one
exchange at a time and then makes room, so that all of a service's contracts are compiled at once.
"""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Protocol

from chains.base import Clock, Progress, SystemClock
from chains.evm.explorers.base import Explorer, ExplorerStopped, Ticket, Verdict
from chains.evm.explorers.errands import Course, Errand, Pace, Subject

__all__ = ["Job", "Outcome", "Publisher", "Remember"]


class Remember(Protocol):
    """What outlasts a kill. Called by one thread at a time; each returns when it is on disk."""

    def ticket(self, service: str, subject: Subject) -> Ticket | None:
        """The last ticket of an earlier run that no verdict which is ``done`` has followed."""
        ...

    def submitted(self, service: str, subject: Subject, ticket: Ticket) -> None: ...

    def verdict(self, service: str, subject: Subject, verdict: Verdict) -> None: ...


@dataclass(frozen=True)
class Job:
    """One errand at one service."""

    explorer: Explorer
    errand: Errand


@dataclass(frozen=True)
class Outcome:
    job: Job
    verdict: Verdict


@dataclass
class Publisher:
    """``wait_s`` bounds a whole ``publish``; ``submits`` of ``False`` only looks. ``per_service`` threads each."""

    remember: Remember
    progress: Progress
    wait_s: float
    pace: Pace = field(default_factory=Pace)
    submits: bool = True
    per_service: int = 4
    clock: Clock = field(default_factory=SystemClock)

    def publish(self, jobs: Sequence[Job]) -> list[Outcome]:
        """One outcome a job, in the order given. A service's trouble is a verdict, never an error.

        A proxy is linked only where the service has to be told. Raises what ``remember`` raises.
        """
        if not jobs:
            return []
        deadline_s = self.clock.monotonic_s() + self.wait_s
        one_at_a_time = threading.Lock()
        desks: dict[int, _Desk] = {}
        for place, job in enumerate(jobs):
            desk = desks.setdefault(id(job.explorer), _Desk(self, deadline_s, one_at_a_time))
            desk.add(place, job)
        with ThreadPoolExecutor(self.per_service * len(desks), thread_name_prefix="explorer") as pool:
            try:
                working = [pool.submit(d.work) for d in desks.values() for _ in range(min(self.per_service, d.open))]
                ended, _ = wait(working, return_when=FIRST_EXCEPTION)
                for one in ended:
                    one.result()
            finally:
                for desk in desks.values():  # after an error or an interrupt no thread takes another step
                    desk.close()
        done = {place: outcome for desk in desks.values() for place, outcome in desk.done.items()}
        return [done[place] for place in range(len(jobs))]


class _Desk:
    """One service's errands, the next due first."""

    def __init__(self, publisher: Publisher, deadline_s: float, one_at_a_time: threading.Lock) -> None:
        self.done: dict[int, Outcome] = {}
        self.open = 0
        self._publisher = publisher
        self._deadline_s = deadline_s
        self._memory = one_at_a_time
        self._due: list[tuple[float, int, int, Job, Course]] = []
        self._order = itertools.count()
        self._changed = threading.Condition()
        self._stopped: str | None = None

    def add(self, place: int, job: Job) -> None:
        publisher, subject, service = self._publisher, job.errand.subject, job.explorer.name

        def told(ticket: Ticket) -> None:
            with self._memory:
                publisher.remember.submitted(service, subject, ticket)
                publisher.progress.item(job.errand.title, "submitted", job.explorer.label)

        course = Course(
            job.explorer,
            job.errand,
            publisher.pace,
            publisher.clock.monotonic_s,
            told,
            publisher.remember.ticket(service, subject),
            publisher.submits,
        )
        self.open += 1
        heapq.heappush(self._due, (0.0, next(self._order), place, job, course))

    def close(self) -> None:
        with self._changed:
            self.open = 0
            self._changed.notify_all()

    def work(self) -> None:
        """Advance what is due until nothing is open. An error ends all of this desk's threads."""
        try:
            while (taken := self._take()) is not None:
                self._advance(*taken)
        except BaseException:
            self.close()
            raise

    def _take(self) -> tuple[int, Job, Course] | None:
        with self._changed:
            while self.open > 0:
                now_s = self._publisher.clock.monotonic_s()
                if self._due and self._due[0][0] <= now_s:
                    _, _, place, job, course = heapq.heappop(self._due)
                    return place, job, course
                self._changed.wait(self._due[0][0] - now_s if self._due else None)
            return None

    def _advance(self, place: int, job: Job, course: Course) -> None:
        clock = self._publisher.clock
        if self._stopped is not None:
            return self._conclude(place, job, course.ended(self._stopped))
        if clock.monotonic_s() >= self._deadline_s:
            return self._conclude(place, job, course.ended())
        try:
            came = course.step()
        except ExplorerStopped as stopped:
            self._stop(str(stopped))
            return self._conclude(place, job, course.ended(str(stopped)))
        if isinstance(came, Verdict):
            return self._conclude(place, job, came)
        due_s = min(clock.monotonic_s() + came, self._deadline_s)
        with self._changed:
            heapq.heappush(self._due, (due_s, next(self._order), place, job, course))
            self._changed.notify()
        return None

    def _stop(self, reason: str) -> None:
        """Nobody asks this service again; what waits for its turn is concluded now."""
        with self._changed:
            self._stopped = reason
            self._due = [(0.0, *entry[1:]) for entry in self._due]
            heapq.heapify(self._due)
            self._changed.notify_all()

    def _conclude(self, place: int, job: Job, verdict: Verdict) -> None:
        with self._memory:
            self._publisher.remember.verdict(job.explorer.name, job.errand.subject, verdict)
            self._publisher.progress.item(job.errand.title, verdict.kind, _note(job, verdict))
        with self._changed:
            self.done[place] = Outcome(job, verdict)
            self.open -= 1
            if self.open <= 0:
                self._changed.notify_all()


def _note(job: Job, verdict: Verdict) -> str:
    return f"{job.explorer.label}: {verdict.reason}" if verdict.reason else job.explorer.label
