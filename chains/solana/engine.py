"""Carries one program's release out: looks, asks ``next_step``, writes down what was decided, acts. It can be killed between any
two lines and run again: what is there decides, and the journal says what may still land."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, cast

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from chains.base import Clock, Journal, Progress
from chains.errors import Refused
from chains.solana import chunks, loader
from chains.solana.fees import Budget
from chains.solana.job import AuthorityMismatch, Job, ProgramChanged, Seen, Step, instructions, next_step, spaces
from chains.solana.layouts import BUFFER_HEAD, elf_sha256, parse_program_data
from chains.solana.lifecycle import UnitState
from chains.solana.rpc import Cluster
from chains.solana.sending import Accounts, Sending
from chains.solana.settings import NotFinal, Settings
from chains.solana.transactions import MessageSigner, SignerMissing
from chains.solana.waves import Wave, hand_out, sign_wave, wave_from

__all__ = ["BalanceShort", "Engine"]


class BalanceShort(Refused):
    """SHIP-Q12: the payer cannot pay the rent and fees of the release."""

    code = "SHIP-Q12"


@dataclass
class Engine:
    """One run of one job. ``signers`` by address: the payer, the authority and, for a first deployment, the program."""

    cluster: Cluster
    journal: Journal
    clock: Clock
    progress: Progress
    settings: Settings
    job: Job
    signers: Mapping[str, MessageSigner]
    reserve_lamports: int = 0
    """What the payer needs beside the release itself."""
    writes: int = 0
    sending: Sending = field(init=False)
    _part: Literal["all", "prepare", "watch"] = "all"
    _wave: Wave | None = None
    _pending: set[str] = field(default_factory=set)
    _handed_s: float | None = None
    _rents: dict[int, int] = field(default_factory=dict)
    _final_at: int = -1

    def __post_init__(self) -> None:
        job = self.job
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
        return self.writes + self.sending.sent

    def run(self) -> UnitState:
        """Until the program is final. Raises what ``job``, ``settings`` and ``transactions`` list; all leave a resumable
        journal, and the refusals come before anything is signed."""
        job = self.job
        last = {"deploy": [job.authority, job.program], "upgrade": [job.authority], "stage": []}[job.kind]
        return self._go("all", [job.payer, *last])

    def prepare(self) -> UnitState:
        """Only what the payer can do alone: until the buffer is read back whole at finality, in the hands of the authority.

        Ends earlier, with ``final``, where the program runs the planned bytes already.
        """
        return self._go("prepare", [self.job.payer])

    def watch(self) -> UnitState:
        """Only look: until the program, deployed by somebody else, is final. Raises ``ProgramChanged`` if it was not."""
        return self._go("watch", [])

    def _go(self, part: Literal["all", "prepare", "watch"], needed: Sequence[str]) -> UnitState:
        self._part, job = part, self.job
        if not self._over:
            self._ready(needed)
        moved_s, before = self.clock.monotonic_s(), ""
        while not self._over:
            now = self._turn()
            if now != before:
                moved_s, before = self.clock.monotonic_s(), now
            elif self.clock.monotonic_s() - moved_s > self.settings.wait_s:
                raise NotFinal(
                    f"{job.unit}: nothing changed for {self.settings.wait_s:g} s at {now} ({self.sending.hint or 'no word'})",
                    remedy="Run the same command again: it goes on with the same buffer and the same bytes.",
                )
            if not self._over:
                self.clock.sleep_s(self.settings.poll_s)
        return self.sending.state

    @property
    def _over(self) -> bool:
        state = self.sending.state
        return state.final is not None or (self._part == "prepare" and state.buffer_ok is not None)

    def _ready(self, needed: Sequence[str]) -> None:
        """Everything that can be refused, before anything is signed."""
        job, state = self.job, self.sending.state
        for key in needed:
            if key not in self.signers:
                raise SignerMissing(
                    f"{job.unit} needs signatures of {key}, and that key is not at hand",
                    remedy="Configure a signer for it.",
                )
        self._rents = {space: self.cluster.rent(space) for space in spaces(job)}
        step = self._decide(self._look())
        if state.planned is not None:
            return
        if step != "released":
            self._afford()
        self.sending.write("sol.planned", job.to_json())

    def _afford(self) -> None:
        """The buffer's rent comes back before ProgramData's is paid, in the same transaction."""
        job = self.job
        buffer, program, data = (self._rents[space] for space in spaces(job))
        needed = program + max(buffer, data) if job.kind == "deploy" else buffer
        each = chunks.chunk_size(Pubkey.from_string(job.payer), Pubkey.from_string(job.payer), Budget(1, 1))
        needed += (len(chunks.split(job.elf, each)) + 8) * Budget().lamports(1) + self.reserve_lamports
        if job.extend_bytes:
            needed += data - self.cluster.rent(spaces(job)[2] - job.extend_bytes)
        held = self.cluster.balance(job.payer)
        if held < needed:
            raise BalanceShort(
                f"{job.payer} holds {held} lamports, {job.unit} takes {needed} (most of it rent that comes back)",
                remedy="Fund the payer.",
            )

    def _look(self) -> Seen:
        return Seen.of(self.job, self.cluster.accounts(self.job.keys, "confirmed"))

    def _decide(self, seen: Seen) -> Step:
        try:
            return next_step(self.job, seen)
        except AuthorityMismatch as error:
            if not self.sending.state.attempts:
                raise
            raise ProgramChanged(error.cause, remedy="It was moved while the plan was carried out.") from error

    def _turn(self) -> str:
        """One look and what follows; a word for where the job is, which changes when it moves."""
        if self._wave is not None and self._tend(self._wave):
            return f"write {len(self._pending)} {self.writes}"
        seen = self._look()
        step = self._decide(seen)
        if self._part == "watch":
            return self._watched(step)
        slot = self.cluster.slots["confirmed"]
        self.sending.confirm(step, slot)
        if step == "released":
            self._conclude()
        elif step == "write":
            self._write()
        elif step == "create" and not self._nothing_deployed():
            return "deployed"
        elif step in {"deploy", "upgrade"} and (not self._buffer_ok() or self._part == "prepare"):
            return "buffer"
        else:
            self.sending.drive(step, self.job.keys, lambda: self._forms(step, seen), lambda a: self._undone(step, a))
        return f"{step} {len(self.sending.state.attempts.get(step, []))} {len(self.sending.state.expired)}"

    def _watched(self, step: Step) -> str:
        if step != "released":
            raise ProgramChanged(
                f"{self.job.unit} ({self.job.program}) was deployed, and does not run the planned bytes",
                remedy="Find out who else deploys it. Then `ship deploy --replan`.",
            )
        self._conclude()
        return step

    def _nothing_deployed(self) -> bool:
        """Whether no deployment that was signed can have used the buffer up, or still can. Raises ``ProgramChanged``."""
        job = self.job
        settled = self.sending.settle(job.kind, job.keys)
        if job.kind in self.sending.state.undone:
            raise ProgramChanged(
                f"{job.unit} was deployed, and {job.program} does not run it any more",
                remedy="Find out who else deploys it. Then `ship deploy --replan`.",
            )
        return settled

    def _forms(self, step: Step, seen: Seen) -> Sequence[Sequence[Instruction]]:
        made = [instructions(self.job, step, seen, self._rents)]
        if step == "extend":
            made.append(instructions(self.job, step, seen, self._rents, checked_extend=True))
        return made

    def _undone(self, step: Step, accounts: Accounts) -> bool:
        return next_step(self.job, Seen.of(self.job, dict(accounts))) == step

    def _buffer_ok(self) -> bool:
        """The buffer, read back whole at finality, with the authority that alone can change it from here on."""
        if self.sending.state.buffer_ok is not None:
            return True
        final = Seen.of(self.job, self.cluster.accounts(self.job.keys, "finalized"))
        if self._decide(final) != self.job.kind:
            return False
        slot = self.cluster.slots["finalized"]
        self.sending.write("sol.buffer_ok", {"sha256": elf_sha256(self.job.elf), "slot": slot})
        return True

    # -- chunk writes --------------------------------------------------------------------------------------------------

    def _write(self) -> None:
        """A new wave of what the newest state lacks, or the last one of an earlier run while it may land."""
        job, waves = self.job, self.sending.state.waves
        if waves and self._handed_s is None:
            self._wave = wave_from(job, waves[-1])
            self._pending = set(self._wave.writes)
            if self._tend(self._wave):
                return
        held = self.cluster.accounts([job.buffer], "processed")[job.buffer]
        if held is None:
            return  # the fork that had it was left: the next look, at confirmed, decides
        payer = Pubkey.from_string(job.payer)
        first = loader.write(Pubkey.from_string(job.buffer), payer, 0, job.elf[:64])
        budget = self.sending.budget([first], [job.buffer])
        if budget is None:
            return
        lacking = chunks.missing(job.elf, held.data[BUFFER_HEAD:], chunks.chunk_size(payer, payer, budget))
        if not lacking:
            return
        some, payer_signer = lacking[: self.settings.in_flight], self.signers[job.payer]
        wave, row = sign_wave(job, some, self.cluster.blockhash(), budget, payer_signer)
        self.sending.write("sol.writing", row)
        self._wave, self._pending = wave, set(wave.writes)
        self.writes += len(wave.writes)
        self._hand(wave)

    def _hand(self, wave: Wave) -> None:
        hand_out(self.cluster.rpc, [wave.writes[one][1] for one in wave.writes if one in self._pending], self.settings)
        self._handed_s = self.clock.monotonic_s()

    def _tend(self, wave: Wave) -> bool:
        """Whether writes of the wave may still land; the same bytes again for those no node knows."""
        self._pending -= set(self.cluster.statuses(sorted(self._pending)))
        if not self._pending or self.cluster.height("confirmed").block_height > wave.blockhash.last_valid_height:
            self._wave, self._handed_s = None, self._handed_s or 0.0
            return False
        now_s = self.clock.monotonic_s()
        if self._handed_s is None or now_s - self._handed_s >= self.settings.resend_s:
            self._hand(wave)
        return True

    # -- the end -------------------------------------------------------------------------------------------------------

    def _conclude(self) -> None:
        """Final when two providers show the planned bytes at finality; a lone one has to at two different slots."""
        job, found, slots = self.job, None, []
        for _, height, accounts, _ in self.cluster.each(job.keys, []):
            seen = Seen.of(job, accounts)
            if self._decide(seen) != "released":
                return
            held = seen.buffer if job.kind == "stage" else seen.program_data
            assert held
            found = held
            slots.append(height.slot)
        if found is None:
            return
        if self.cluster.rpc.alone:
            if self._final_at in {-1, slots[0]}:
                self._final_at = slots[0]
                return
        elif len(slots) < 2:
            return
        attempts = cast("list[object]", self.sending.state.attempts.get(job.kind, []))
        signature = self.sending.state.attempts[job.kind][-1].signature if attempts else None
        # Not what the account says of itself: the bytes were compared, its padding is no part of them.
        slot = max(slots) if job.kind == "stage" else parse_program_data(found).slot
        data = {"sha256": elf_sha256(job.elf), "authority": job.authority, "slot": slot, "signature": signature}
        self.sending.write("sol.final", data)
