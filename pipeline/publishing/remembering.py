"""What outlasts a kill: tickets and verdicts, as rows of the target's journal.

``verify.submitted`` is on disk before a ticket is polled, so that a killed run polls on instead of handing in again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chains.base import Journal
from chains.evm.explorers.base import Ticket, Verdict
from chains.evm.explorers.errands import Subject
from pipeline.publishing.verdicts import SUBMITTED, VERDICT, key_of, newest_verdicts

__all__ = ["JournalMemory"]


@dataclass(frozen=True)
class JournalMemory:
    """``Remember`` of the publisher, on a journal. A verdict that says nothing new is not written again."""

    journal: Journal

    def ticket(self, service: str, subject: Subject) -> Ticket | None:
        found: Ticket | None = None
        for row in self.journal.rows:
            if row.kind not in {SUBMITTED, VERDICT} or key_of(row) != (service, *_words(subject)):
                continue
            if row.kind == SUBMITTED:
                found = Ticket(row.data["ticket"], row.data["full"])
            elif row.data["verdict"] in {"exact", "partial", "already", "failed"} or row.data.get("spent"):
                found = None
        return found

    def submitted(self, service: str, subject: Subject, ticket: Ticket) -> None:
        self.journal.append(SUBMITTED, {**_row(service, subject), "ticket": ticket.id, "full": ticket.full})

    def verdict(self, service: str, subject: Subject, verdict: Verdict) -> None:
        before = newest_verdicts(self.journal.rows).get((service, *_words(subject)))
        data = {
            **_row(service, subject),
            "verdict": verdict.kind,
            "reason": verdict.reason or None,
            "url": verdict.url,
            **({"spent": True} if verdict.spent else {}),
        }
        same = before is not None and (
            before["verdict"] == verdict.kind or _both_shown(before["verdict"], verdict.kind)
        )
        if verdict.spent or not same:
            self.journal.append(VERDICT, data)


def _both_shown(before: str, now: str) -> bool:
    """An exact match that we made is ``already`` there at the next look: the first word says more."""
    return before == "exact" and now == "already"


def _row(service: str, subject: Subject) -> dict[str, Any]:
    return {"service": service, "what": subject.kind, "address": subject.address, "of": subject.of}


def _words(subject: Subject) -> tuple[str, str, str]:
    return subject.kind, subject.address.lower(), subject.of.lower()
