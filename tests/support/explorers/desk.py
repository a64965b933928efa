"""The desk behind a protocol: takes submissions in, works them off one by one, and holds what was verified."""

from __future__ import annotations

import itertools
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from tests.support.explorers.indexing import IndexedChain
from tests.support.explorers.matching import Mismatch, Source

__all__ = ["Desk", "Held", "Job", "desk"]

_Key = tuple[int, str]


@dataclass(frozen=True)
class Held:
    """A verified contract. ``kind`` is the better of the ``runtime`` and ``creation`` matches."""

    source: Source
    kind: Literal["exact", "partial"]
    arguments: bytes = b""
    abi: list[dict[str, Any]] = field(default_factory=list)
    runtime: str | None = None
    creation: str | None = None

    @property
    def exactness(self) -> int:
        return [self.runtime, self.creation, self.kind].count("exact")


@dataclass
class Job:
    """``ended`` is ``None`` while it is worked on. ``questions`` counts what was asked about it since it came in."""

    id: str
    chain: IndexedChain
    address: str
    source: Source
    creation: str | None
    at_s: float
    indexed: bool
    truthful: bool
    ended: Held | Mismatch | None = None
    published: bool = False
    questions: int = 0
    done_at_s: float | None = None
    worked_off: threading.Event = field(default_factory=threading.Event, repr=False)

    @property
    def passed(self) -> bool:
        return isinstance(self.ended, Held)


Judge = Callable[[Job], Held]


@dataclass
class Desk:
    """What an explorer does wrong by itself is set here.

    ``hidden_s``: how long after a contract is first asked about the explorer has not indexed it; ``pending``: how many
    questions about a job are answered before it is said to be done; ``false_successes``: how many of the next jobs are
    said to have passed, and show nothing. ``at_once``: handing in is answered when the work is done, for clients that ask
    again only after a long while.
    """

    chains: Mapping[int, IndexedChain]
    judge: Judge
    hidden_s: float = 0.0
    pending: int = 0
    false_successes: int = 0
    at_once: bool = False
    jobs: dict[str, Job] = field(default_factory=dict)
    shown: dict[_Key, Held] = field(default_factory=dict)
    twice: list[Job] = field(default_factory=list)
    """The jobs whose contract was handed in again while they were running."""

    def __post_init__(self) -> None:
        self._lock = threading.RLock()
        self._first: dict[_Key, float] = {}
        self._numbers = itertools.count(1)
        self.work: queue.SimpleQueue[Job | None] = queue.SimpleQueue()

    def indexed(self, chain_id: int, address: str) -> bool:
        with self._lock:
            first_s = self._first.setdefault((chain_id, address.lower()), time.monotonic())
        return time.monotonic() >= first_s + self.hidden_s

    def running(self, chain_id: int, address: str) -> Job | None:
        """The job on this contract that is not done; asking counts as a question about it."""
        with self._lock:
            for job in self.jobs.values():
                if job.chain.id == chain_id and job.address.lower() == address.lower() and not job.published:
                    self._ask_about(job)
                    if not job.published:
                        return job
        return None

    def submit(self, name: str, chain_id: int, address: str, source: Source, creation: str | None = None) -> Job | None:
        """``None`` where one is running; ``{n}`` in ``name`` becomes the job's number."""
        indexed = self.indexed(chain_id, address)
        with self._lock:
            if running := self.running(chain_id, address):
                self.twice.append(running)
                return None
            number, truthful = next(self._numbers), self.false_successes == 0
            self.false_successes = max(self.false_successes - 1, 0)
            chain = self.chains[chain_id]
            at_s = time.monotonic()
            job = Job(name.format(n=number), chain, address, source, creation, at_s, indexed, truthful)
            self.jobs[job.id] = job
        self.work.put(job)
        if self.at_once:
            assert job.worked_off.wait(60), "nobody works at this desk"
        return job

    def poll(self, number: str) -> Job | None:
        """The job, with ``published`` when it is done. ``None`` for an unknown one."""
        with self._lock:
            job = self.jobs.get(number)
            if job and not job.published:
                self._ask_about(job)
            return job

    def look(self, chain_id: int, address: str) -> Held | None:
        self.running(chain_id, address)
        with self._lock:
            return self.shown.get((chain_id, address.lower()))

    def run(self) -> None:
        """Work off what comes in, until there is a ``None``."""
        while job := self.work.get():
            ended: Held | Mismatch
            try:
                ended = self.judge(job)
            except Mismatch as mismatch:
                ended = mismatch
            with self._lock:
                job.ended = ended
                self._publish(job)
            job.worked_off.set()

    def _ask_about(self, job: Job) -> None:
        job.questions += 1
        self._publish(job)

    def _publish(self, job: Job) -> None:
        if job.ended is None or job.published or (self.pending and job.questions <= self.pending):
            return
        job.published = True
        job.done_at_s = time.monotonic()
        if isinstance(job.ended, Held) and job.truthful:
            key = (job.chain.id, job.address.lower())
            before = self.shown.get(key)
            if before is None or job.ended.exactness > before.exactness:
                self.shown[key] = job.ended


@contextmanager
def desk(chains: Mapping[int, IndexedChain], judge: Judge) -> Iterator[Desk]:
    """A desk with somebody at it."""
    staffed = Desk(chains, judge)
    worker = threading.Thread(target=staffed.run, name="explorer desk")
    worker.start()
    try:
        yield staffed
    finally:
        staffed.work.put(None)
        worker.join()
