"""What every explorer is asked, and what it may answer (design §9).

    look → (known already?) → submit → ticket → poll … → look again: the verdict is what the service *shows*, not what it says

A deployment is final whatever an explorer says; a verdict never changes that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol

__all__ = ["Crowded", "Explorer", "ExplorerStopped", "Submission", "Ticket", "TryLater", "Verdict", "VerdictKind"]

VerdictKind = Literal["exact", "partial", "already", "pending", "failed", "unknown"]
"""What one service holds of one contract.

``exact``: the source with its metadata; ``partial``: the same code with other metadata, or a similar contract's source;
``already``: it was verified before we came, by whomever; ``pending``: submitted, no result yet; ``failed``: refused, with
its reason; ``unknown``: no usable answer, or one that what the service shows does not bear out.
``already`` is an exact match: what was there before and is not, is told as ``partial`` with its reason.
"""


@dataclass(frozen=True)
class Verdict:
    """``reason`` is the service's, made printable. ``url`` is a page for people; it holds no key.

    ``mismatch`` marks a failure that more sources may mend: what the service compiled is not what is on chain, or did
    not compile at all. ``spent``: the ticket it came by is of no more use, and the source has to be handed in again.
    """

    kind: VerdictKind
    reason: str = ""
    url: str | None = None
    mismatch: bool = False
    spent: bool = False

    @property
    def done(self) -> bool:
        """Whether asking again cannot change it."""
        return self.kind in {"exact", "partial", "already", "failed"}

    @property
    def good(self) -> bool:
        return self.kind in {"exact", "partial", "already"}

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "reason": self.reason or None, "url": self.url}


@dataclass(frozen=True)
class Submission:
    """One contract to be published.

    ``contract`` is ``path:Name``; ``compiler`` the long version with ``v``, as ``v0.8.37+commit.f401782d``; ``standard_json``
    the compiler's input; ``arguments`` the constructor's, ABI-encoded; ``license_number`` Etherscan's 1 to 14.
    ``linked_later``: libraries are named in the input that were written into the code only after it was compiled, so that
    what the input gives has other metadata than what is on chain: no more than a partial match can come of it.
    """

    chain_id: int
    address: str
    contract: str
    compiler: str
    standard_json: bytes
    arguments: bytes
    creation_transaction: str | None
    license_number: int = 1
    linked_later: bool = False


@dataclass(frozen=True)
class Ticket:
    """What a service gave for a submission: its guid or verification id. Journaled, so that a killed run polls on.

    ``full`` when the whole build's input was handed in, and not the contract's own sources alone.
    """

    id: str
    full: bool = False


class TryLater(Exception):
    """No usable answer now: not indexed yet, rate limit, 5xx, garbage, a lost reply. ``after_s`` is the service's wish.

    ``maybe_taken``: the request may have been acted on, so that what it handed in is not handed in again at once.
    """

    def __init__(self, reason: str, after_s: float | None = None, *, maybe_taken: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.after_s = after_s
        self.maybe_taken = maybe_taken


class Crowded(TryLater):
    """Others with the same key are before us, for longer than a thread should stand and wait. Nothing was asked."""


class ExplorerStopped(Exception):
    """Asking on would do harm or is no use: a wrong API key, a chain the service does not have or the plan not include."""


class Explorer(Protocol):
    """One service for one chain. Every method makes a bounded number of requests and never sleeps.

    Each raises ``TryLater`` and ``ExplorerStopped``. ``name`` is the key in manifests, ``label`` what people see (no key).
    """

    @property
    def name(self) -> str: ...

    @property
    def label(self) -> str: ...

    @property
    def links_proxies(self) -> bool:
        """Whether it has to be told which implementation a proxy runs; others find out by themselves."""
        ...

    def look(self, address: str, expected: Submission | None = None) -> Verdict:
        """What the service shows of ``address``: ``exact`` or ``partial`` when verified (held against ``expected`` where
        given), ``unknown`` when it does not know the source."""
        ...

    def submit(self, submission: Submission) -> Ticket | Verdict:
        """Hand the source in, once. A ``Verdict`` when the answer is final at once (``already``, ``failed``), or
        ``pending`` when the same is being worked on under a ticket we do not have."""
        ...

    def poll(self, ticket: Ticket) -> Verdict:
        """``pending``, or what the service says came out; ``look`` decides afterwards whether that is so.

        ``unknown``: the ticket is of no use any more, hand the source in again.
        """
        ...

    def look_link(self, proxy: str, implementation: str) -> Verdict:
        """Whether the service shows ``implementation`` behind ``proxy``: ``exact``, else ``unknown`` with what it shows."""
        ...

    def link(self, proxy: str, implementation: str) -> Ticket | Verdict:
        """Tell the service that ``proxy`` runs ``implementation``."""
        ...

    def poll_link(self, ticket: Ticket) -> Verdict:
        """As ``poll``, of a link."""
        ...
