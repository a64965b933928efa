"""Something put on chain beside a program (its IDL, its build's parameters), carried out as a release is: look, decide purely,
write down, act. Killed anywhere it goes on; nothing is sent that is not in the journal; final is what providers show to be.

Rows are those of ``chains.solana.lifecycle``, with a unit of the publication's own: ``sol.planned`` (the whole of it, its bytes
included), ``sol.signed``, ``sol.writing``, ``sol.expired``, ``sol.confirmed``, ``sol.failed``, ``sol.final``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from solders.instruction import Instruction

from chains.base import Clock, Journal, Progress
from chains.errors import NeedsPerson, Refused
from chains.solana.engine import BalanceShort
from chains.solana.lifecycle import UnitState
from chains.solana.rpc import Cluster
from chains.solana.sending import Accounts, Sending
from chains.solana.settings import NotFinal, Settings
from chains.solana.transactions import MessageSigner, SignerMissing
from chains.solana.waves import Written
from chains.solana.writing import Writing

__all__ = ["PUBLISHED", "Publication", "PublicationChanged", "Publishing", "Rent", "ServiceMissing", "need_program"]

PUBLISHED = "published"
Rent = Callable[[int], int]


class PublicationChanged(NeedsPerson):
    """SHIP-Q63: what is to be published over is neither what it was when the plan was made nor what the plan makes of it."""

    code = "SHIP-Q63"


class ServiceMissing(Refused):
    """SHIP-Q64: the cluster does not have the program that a publication goes through."""

    code = "SHIP-Q64"


def need_program(cluster: Cluster, program: str, what: str) -> None:
    """Raises ``ServiceMissing`` where ``what`` is not on this cluster, as on most local ones."""
    found = cluster.accounts([program], "confirmed")[program]
    if found is None or not found.executable:
        raise ServiceMissing(
            f"this cluster has no {what} ({program})",
            remedy="Publish on a cluster that has it, or leave this publication out for this target.",
        )


class Chunked(Written, Protocol):
    """What is written side by side, in any order. ``target`` is the account it is written to."""

    @property
    def target(self) -> str: ...

    def held(self, accounts: Accounts) -> bytes:
        """Of ``content``, what the target holds."""
        ...


class Publication(Protocol):
    """One thing to publish. ``keys`` are the accounts a look reads, ``needed`` the keys that sign. ``spends`` names, for a step, the
    later one that undoes it: redone only once that one cannot have happened. ``chunks`` is what the step ``write`` writes."""

    @property
    def plan(self) -> str: ...

    @property
    def unit(self) -> str: ...

    @property
    def payer(self) -> str: ...

    @property
    def chunks(self) -> Chunked | None: ...

    @property
    def keys(self) -> Sequence[str]: ...

    @property
    def needed(self) -> Sequence[str]: ...

    @property
    def spends(self) -> Mapping[str, str]: ...

    @property
    def digest(self) -> str:
        """sha256 of what is published."""
        ...

    def to_json(self) -> dict[str, Any]: ...

    def resumed(self, planned: Mapping[str, Any]) -> Publication:
        """As ``sol.planned`` has it: what was begun with these bytes is ended with them."""
        ...

    def next_step(self, accounts: Accounts) -> str:
        """Pure. ``PUBLISHED`` at the end, ``write`` for chunk writes."""
        ...

    def instructions(self, step: str, accounts: Accounts, rent: Rent) -> Sequence[Instruction]: ...

    def lamports(self, accounts: Accounts, rent: Rent) -> int:
        """What the payer has to have, fees aside."""
        ...


@dataclass
class Publishing:
    """One run of one publication. ``signers`` by address."""

    cluster: Cluster
    journal: Journal
    clock: Clock
    progress: Progress
    settings: Settings
    publication: Publication
    signers: Mapping[str, MessageSigner]
    _rents: dict[int, int] = field(default_factory=dict)
    _final_at: int = -1
    sending: Sending = field(init=False)
    writing: Writing | None = None

    def __post_init__(self) -> None:
        job = self.publication
        self.sending = Sending(
            self.cluster,
            self.journal,
            self.clock,
            self.progress,
            self.settings,
            job.plan,
            job.unit,
            job.payer,
            self.signers,
        )

    @property
    def sent(self) -> int:
        """Transactions handed to a node for the first time by this run."""
        return self.sending.sent + (self.writing.count if self.writing else 0)

    def run(self) -> UnitState:
        """Until it is final. What can be refused is refused before anything is signed; all else leaves a resumable journal."""
        job = self.publication
        if self.sending.state.final:
            return self.sending.state
        if self.sending.state.planned is not None:
            job = self.publication = job.resumed(self.sending.state.planned)
        chunks = job.chunks
        self.writing = Writing(self.sending, chunks, chunks.target) if chunks else None
        self._ready()
        moved_s, before = self.clock.monotonic_s(), ""
        while self.sending.state.final is None:
            now = self._turn()
            if now != before:
                moved_s, before = self.clock.monotonic_s(), now
            elif self.clock.monotonic_s() - moved_s > self.settings.wait_s:
                raise NotFinal(
                    f"{job.unit}: nothing changed for {self.settings.wait_s:g} s at {now} "
                    f"({self.sending.hint or 'no word'})",
                    remedy="Run the same command again: it goes on with the same bytes.",
                )
            if self.sending.state.final is None:
                self.clock.sleep_s(self.settings.poll_s)
        return self.sending.state

    def rent(self, space: int) -> int:
        """Lamports that keep so many bytes for good; asked once a run."""
        if space not in self._rents:
            self._rents[space] = self.cluster.rent(space)
        return self._rents[space]

    def _ready(self) -> None:
        job = self.publication
        for key in job.needed:
            if key not in self.signers:
                raise SignerMissing(
                    f"{job.unit} needs signatures of {key}, and that key is not at hand",
                    remedy="Configure a signer for it.",
                )
        accounts = self._look()
        step = job.next_step(accounts)
        if self.sending.state.planned is not None:
            return
        if step != PUBLISHED:
            needed = job.lamports(accounts, self.rent)
            held = self.cluster.balance(job.payer)
            if held < needed:
                raise BalanceShort(
                    f"{job.payer} holds {held} lamports, {job.unit} takes {needed} and fees",
                    remedy="Fund the payer.",
                )
        self.sending.write("sol.planned", job.to_json())

    def _look(self) -> Accounts:
        return self.cluster.accounts(self.publication.keys, "confirmed")

    def _turn(self) -> str:
        """One look and what follows; a word for where it is, which changes when it moves."""
        writing = self.writing
        if writing and writing.tend():
            return writing.word
        job, state = self.publication, self.sending.state
        accounts = self._look()
        step = job.next_step(accounts)
        self.sending.confirm(step, self.cluster.slots["confirmed"])
        if step == PUBLISHED:
            self._conclude()
        elif step == "write" and writing and job.chunks:
            return writing.advance(job.chunks.held(accounts))
        elif step in job.spends and not self._nothing_spent(job.spends[step]):
            return f"{step} or not"
        else:
            self.sending.drive(
                step,
                job.keys,
                lambda: [job.instructions(step, accounts, self.rent)],
                lambda final: job.next_step(final) == step,
            )
        return f"{step} {len(state.attempts.get(step, []))} {len(state.expired)}"

    def _nothing_spent(self, later: str) -> bool:
        """Whether ``later`` cannot have used up what is missing, and cannot any more. Raises ``PublicationChanged``."""
        job = self.publication
        settled = self.sending.settle(later, job.keys)
        if later in self.sending.state.undone:
            raise PublicationChanged(
                f"{job.unit} was published, and is not there any more",
                remedy="Find out who else writes it. Then `ship deploy --replan`.",
            )
        return settled

    def _conclude(self) -> None:
        """Final when two providers show it at finality; a lone one has to at two different slots."""
        job, slots = self.publication, []
        for _, height, accounts, _ in self.cluster.each(job.keys, []):
            if job.next_step(accounts) != PUBLISHED:
                return
            slots.append(height.slot)
        if not slots:
            return
        if self.cluster.rpc.alone:
            if self._final_at in {-1, slots[0]}:
                self._final_at = slots[0]
                return
        elif len(slots) < 2:
            return
        attempts = [one for made in self.sending.state.attempts.values() for one in made]
        signature = attempts[-1].signature if attempts else None
        self.sending.write("sol.final", {"sha256": job.digest, "slot": slots[0], "signature": signature})
