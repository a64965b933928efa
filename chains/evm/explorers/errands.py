"""What one service is to be told, as a course of single steps: nothing here waits, and every step is one exchange.

LOOK ──exact──► already
  │ not shown, or partial: the true source may replace it
  ▼
SUBMIT ──lost reply──► LOOK until it is safe to hand in again
  │ ticket
  ▼
POLL ──failed──► SUBMIT the whole build's input, once ──► SETTLE (look: what it shows counts, not what it says)
  │ passed
  ▼
CONFIRM ──shown──► exact, partial     ──not shown in time──► unknown
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

from chains.evm.explorers.base import Crowded, Explorer, Submission, Ticket, TryLater, Verdict

__all__ = ["Course", "Errand", "Link", "Pace", "Source", "Subject"]


@dataclass(frozen=True)
class Subject:
    """What a ticket or verdict is about: ``of`` is ``path:Name`` of a source, the implementation behind a proxy."""

    kind: Literal["source", "proxy"]
    address: str
    of: str


@dataclass(frozen=True)
class Source:
    """A contract's source. ``full_input`` is the whole build's standard JSON, for a second try; ``title`` for people."""

    title: str
    submission: Submission
    full_input: bytes | None = None

    @property
    def subject(self) -> Subject:
        return Subject("source", self.submission.address, self.submission.contract)


@dataclass(frozen=True)
class Link:
    """A proxy, and the implementation it runs."""

    title: str
    proxy: str
    implementation: str

    @property
    def subject(self) -> Subject:
        return Subject("proxy", self.proxy, self.implementation)


Errand = Source | Link


@dataclass(frozen=True)
class Pace:
    """Pauses between steps grow from ``first_s`` to ``most_s``, each varied by a quarter.

    ``lost_s``: how long a submission whose reply was lost is looked for before it is made again. ``confirm_s``: how long a
    service may take to show what it says is verified.
    """

    first_s: float = 1.0
    growth: float = 1.6
    most_s: float = 10.0
    lost_s: float = 30.0
    confirm_s: float = 20.0

    def pause_s(self, tries: int) -> float:
        grown = min(self.most_s, self.first_s * self.growth ** min(tries, 50))
        return grown * random.uniform(0.75, 1.25)  # noqa: S311 - spreads requests, guards nothing


@dataclass
class Course:
    """One errand at one service. ``told`` is called with every ticket before it is polled."""

    explorer: Explorer
    errand: Errand
    pace: Pace
    now_s: Callable[[], float]
    told: Callable[[Ticket], None]
    ticket: Ticket | None = None
    submits: bool = True
    _ours: bool = False
    _full: bool = False
    _tries: int = 0
    _quiet_until_s: float | None = None
    _until_s: float = 0.0
    _said: Verdict | None = None
    _shown: Verdict | None = None
    _reason: str = ""
    _phase: Callable[[], Verdict | float] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._phase = self._look
        if self.ticket is not None:  # an earlier run handed it in
            self._ours, self._full, self._phase = True, self.ticket.full, self._poll

    def step(self) -> Verdict | float:
        """One exchange: the verdict, or the seconds until the next. Raises ``ExplorerStopped``."""
        try:
            return self._phase()
        except Crowded as crowded:  # no word of the service's, and no try
            return crowded.after_s or self.pace.first_s
        except TryLater as later:
            self._reason = later.reason
            return max(later.after_s or 0.0, self._again())

    def ended(self, reason: str = "") -> Verdict:
        """The verdict when no more steps are taken: the time is over, or (``reason``) the service has to be let be."""
        why = reason or self._reason
        if self._phase == self._confirm and not reason:
            return self._not_borne_out()
        if self._phase == self._settle and self._said is not None and not reason:
            return self._said
        if self.ticket is not None or self._quiet_until_s is not None:
            return Verdict("pending", f"it was handed in, and has no result yet{f': {why}' if why else ''}")
        if self._shown is not None and not reason:
            return self._shown
        return Verdict("unknown", why or "its turn did not come in time")

    def _look(self) -> Verdict | float:
        shown = self._look_at()
        if shown.kind == "exact":
            return self._found(shown)
        if shown.kind == "partial":
            self._shown = shown
        if not self.submits:
            return shown
        if self._quiet_until_s is not None and self.now_s() < self._quiet_until_s:
            return self._again()
        return self._to(self._submit)

    def _submit(self) -> Verdict | float:
        try:
            answer = self._hand_in()
        except TryLater as later:
            if later.maybe_taken:
                self._wait_for_lost()
            raise
        if isinstance(answer, Ticket):
            self.ticket, self._ours, self._quiet_until_s = answer, True, None
            self.told(answer)
            self._to(self._poll)
            return self._again()
        if answer.kind == "pending":  # in its queue, by a submission whose ticket we do not have
            self._reason = answer.reason
            self._wait_for_lost()
            return self._again()
        if answer.kind == "unknown":  # there is nothing to hand in
            return answer
        return self._concluded(answer)

    def _poll(self) -> Verdict | float:
        assert self.ticket is not None
        by_ticket = self.explorer.poll if isinstance(self.errand, Source) else self.explorer.poll_link
        answer = by_ticket(self.ticket)
        if answer.kind == "pending":
            self._reason = answer.reason
            return self._again()
        self.ticket = None
        if answer.kind == "unknown":
            self._reason = answer.reason
            self._phase = self._look  # the pauses go on growing: it is handed in anew each time
            return self._again()
        return self._concluded(answer)

    def _concluded(self, answer: Verdict) -> Verdict | float:
        """The service's last word: then what it shows decides."""
        self._quiet_until_s = None
        if answer.kind == "failed" and answer.mismatch and not self._full and self._fuller is not None:
            self._full = True
            return self._to(self._submit)
        self._said = answer
        if answer.kind == "failed":
            return self._to(self._settle)
        self._until_s = self.now_s() + self.pace.confirm_s
        return self._to(self._confirm)

    def _confirm(self) -> Verdict | float:
        shown = self._look_at()
        if shown.kind == "exact":
            return self._found(shown)
        settled = self._said is not None and self._said.kind == "already"  # what is there will not change
        if shown.kind == "partial" and (settled or shown != self._shown or self.now_s() >= self._until_s):
            return shown
        if self.now_s() >= self._until_s:
            return self._not_borne_out()
        return self._again()

    def _settle(self) -> Verdict | float:
        """After a refusal: what was verified before, by whomever, is still there."""
        assert self._said is not None
        shown = self._look_at()
        if shown.kind == "exact":
            return self._found(shown)
        if shown.kind == "partial":
            return replace(shown, reason=f"{shown.reason}; it refused ours: {self._said.reason}")
        return self._said

    def _look_at(self) -> Verdict:
        if isinstance(self.errand, Source):
            return self.explorer.look(self.errand.submission.address, self.errand.submission)
        return self.explorer.look_link(self.errand.proxy, self.errand.implementation)

    def _hand_in(self) -> Ticket | Verdict:
        if isinstance(self.errand, Link):
            return self.explorer.link(self.errand.proxy, self.errand.implementation)
        submission = self.errand.submission
        if self._full and self._fuller is not None:
            submission = replace(submission, standard_json=self._fuller)
        answer = self.explorer.submit(submission)
        return replace(answer, full=self._full) if isinstance(answer, Ticket) else answer

    @property
    def _fuller(self) -> bytes | None:
        if isinstance(self.errand, Link) or self.errand.full_input == self.errand.submission.standard_json:
            return None
        return self.errand.full_input

    def _wait_for_lost(self) -> None:
        self._ours = True
        self._quiet_until_s = self.now_s() + self.pace.lost_s
        self._to(self._look)

    def _found(self, shown: Verdict) -> Verdict:
        return shown if self._ours else replace(shown, kind="already")

    def _not_borne_out(self) -> Verdict:
        said = f" ({self._said.reason})" if self._said and self._said.reason else ""
        return self._shown or Verdict(
            "unknown", f"it says that this is verified{said}, and does not show it", spent=True
        )

    def _to(self, phase: Callable[[], Verdict | float]) -> float:
        self._phase, self._tries = phase, 0
        return 0.0

    def _again(self) -> float:
        self._tries += 1
        return self.pace.pause_s(self._tries - 1)
