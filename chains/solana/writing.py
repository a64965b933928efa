"""Chunk writes of one thing, wave after wave, until nothing is missing: what has to be remembered between two looks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from solders.pubkey import Pubkey

from chains.solana import chunks
from chains.solana.fees import Budget
from chains.solana.sending import Sending
from chains.solana.transactions import MAX_BYTES, compile_message, size
from chains.solana.waves import Wave, Written, hand_out, sign_wave, wave_from

__all__ = ["Writing", "room"]


def room(job: Written, budget: Budget) -> int:
    """How many bytes one write can carry, as ``chunks.chunk_size`` counts them for the loader's."""
    message = compile_message(Pubkey.from_string(job.payer), [*budget.instructions(), job.write(0, b"")], "1" * 32)
    return MAX_BYTES - size(message) - 1


@dataclass
class Writing:
    """``target`` is the account written to. Writes are idempotent: what a wave that expired did not bring is written again."""

    sending: Sending
    job: Written
    target: str
    count: int = 0
    _wave: Wave | None = None
    _pending: set[str] = field(default_factory=set)
    _handed_s: float | None = None

    def tend(self) -> bool:
        """Whether writes are under way that may still land; those no node knows are sent again."""
        wave, sending = self._wave, self.sending
        if wave is None:
            return False
        self._pending -= set(sending.cluster.statuses(sorted(self._pending)))
        if not self._pending or sending.cluster.height("confirmed").block_height > wave.blockhash.last_valid_height:
            self._wave, self._handed_s = None, self._handed_s or 0.0
            return False
        now_s = sending.clock.monotonic_s()
        if self._handed_s is None or now_s - self._handed_s >= sending.settings.resend_s:
            self._hand(wave)
        return True

    def advance(self, held: bytes) -> str:
        """A new wave of what ``held`` lacks, or the last one of an earlier run while it may land; a word for where it is."""
        waves = self.sending.state.waves
        if waves and self._handed_s is None:
            self._wave = wave_from(self.job, waves[-1])
            self._pending = set(self._wave.writes)
            if self.tend():
                return self.word
        first = self.job.write(0, self.job.content[:64])
        budget = self.sending.budget([first], [self.target])
        if budget is not None and (lacking := chunks.missing(self.job.content, held, room(self.job, budget))):
            self._begin(lacking[: self.sending.settings.in_flight], budget)
        return self.word

    @property
    def word(self) -> str:
        return f"write {len(self._pending)} {self.count}"

    def _begin(self, some: Sequence[chunks.Chunk], budget: Budget) -> None:
        sending = self.sending
        payer = sending.signers[self.job.payer]
        wave, row = sign_wave(self.job, some, sending.cluster.blockhash(), budget, payer)
        sending.write("sol.writing", row)
        self._wave, self._pending = wave, set(wave.writes)
        self.count += len(wave.writes)
        self._hand(wave)

    def _hand(self, wave: Wave) -> None:
        raws = [raw for signature, (_, raw) in wave.writes.items() if signature in self._pending]
        hand_out(self.sending.cluster.rpc, raws, self.sending.settings)
        self._handed_s = self.sending.clock.monotonic_s()
