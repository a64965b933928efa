"""An upgrade whose authority is a vault: the payer stages the buffer, a member proposes, the members decide, the chain is read.

    stage (chains.solana.engine) → propose (.proposing) → pending → approved → executed → ProgramData read → FINAL

The buffer goes to the vault with SetAuthority, for the loader wants the buffer's authority to be the program's; SetAuthorityChecked asks
the new authority to sign, and a vault signs only inside an execution. So that one is allowed after ``prove_vault`` alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from chains.base import Clock, Journal, Progress
from chains.errors import NeedsPerson
from chains.solana.engine import Engine
from chains.solana.fees import LAMPORTS_PER_SIGNATURE
from chains.solana.job import BufferDiffers, Job, Seen, next_step
from chains.solana.rpc import Cluster
from chains.solana.settings import Settings
from chains.solana.squads.accounts import Multisig
from chains.solana.squads.proposing import ProposalClosed, Proposing
from chains.solana.squads.standing import Standing
from chains.solana.squads.wanted import Wanted
from chains.solana.transactions import MessageSigner

__all__ = ["Outcome", "ProposalDead", "VaultUpgrade"]


class ProposalDead(NeedsPerson):
    """SHIP-Q47: the members rejected or cancelled the upgrade, or it became stale before it was approved."""

    code = "SHIP-Q47"


@dataclass(frozen=True)
class Outcome:
    """``final``: the program runs the planned bytes. Else people have to act, and the same command goes on.

    ``standing`` is ``None`` where the program ran the bytes already, by no proposal of this plan's.
    """

    state: Literal["pending", "approved", "final"]
    standing: Standing | None


@dataclass
class VaultUpgrade:
    """One run of one upgrade. ``wanted`` is ``upgrade_of(job, …)``; ``signers`` hold the payer and the member."""

    cluster: Cluster
    journal: Journal
    clock: Clock
    progress: Progress
    settings: Settings
    job: Job
    wanted: Wanted
    signers: Mapping[str, MessageSigner]

    def run(self) -> Outcome:
        """One run of the command. It does not wait for people: what they decided by now is what counts.

        Raises ``ProposalDead``, and what ``Proposing`` and ``Engine`` raise; refusals come before anything is signed.
        """
        proposing = self._proposing()
        if proposing.sending.state.final:
            return Outcome("final", proposing.look() if proposing.rows.proposed else None)
        if proposing.rows.proposed:
            standing = proposing.look()
            assert standing is not None
            return self._outcome(standing)
        vault = proposing.prove()
        standing = proposing.look()
        if standing is None:
            proposing.check(vault.multisig)
        if standing is None or standing.state in {"pending", "approved"}:
            # Somebody may have proposed the same before the buffer was whole: an execution fails until it is the vault's.
            if self._engine(self._reserve(vault.multisig)).prepare().final:
                return Outcome("final", standing)
            if self._step() == "released":
                self._engine(0).watch()
                return Outcome("final", standing)
            self._held()
        try:
            return self._outcome(self._proposing().run())
        except ProposalClosed:
            # Members can be quicker than the next look, and have the rent back: then the program says what happened.
            if self._step() != "released":
                raise
            self._engine(0).watch()
            return Outcome("final", None)

    def _outcome(self, standing: Standing) -> Outcome:
        state = standing.state
        if state == "pending" or state == "approved":  # noqa: PLR1714 (so that the type is narrowed)
            self._held()
            return Outcome(state, standing)
        if standing.state == "executed" or (standing.state == "closed" and self._step() == "released"):
            self._engine(0).watch()
            return Outcome("final", standing)
        raise ProposalDead(
            f"proposal {standing.index} for {self.job.unit} is {standing.state}: {len(standing.approved)} approved, "
            f"{len(standing.rejected)} rejected, {len(standing.cancelled)} cancelled",
            remedy="Ask the members why. `ship deploy --replan` makes a new proposal; the old buffer is the vault's, who can close it.",
        )

    def _step(self) -> str:
        return next_step(self.job, Seen.of(self.job, self.cluster.accounts(self.job.keys, "confirmed")))

    def _held(self) -> None:
        """What was proposed can still be carried out, from the very bytes. Raises ``BufferDiffers``."""
        step = self._step()
        if step not in {"upgrade", "released"}:
            raise BufferDiffers(
                f"the proposal of {self.job.unit} is open, and its buffer {self.job.buffer} cannot be used (next: {step})",
                remedy="The vault closed it, or it was changed. Reject the proposal; `ship deploy --replan` makes a new one.",
            )

    def _reserve(self, multisig: Multisig) -> int:
        """What the proposal takes of the payer: two accounts' rent, and its signatures."""
        spaces = self.wanted.spaces(len(multisig.members))
        return sum(self.cluster.rent(space) for space in spaces) + 4 * LAMPORTS_PER_SIGNATURE

    def _proposing(self) -> Proposing:
        given = (self.cluster, self.journal, self.clock, self.progress, self.settings, self.wanted, self.signers)
        return Proposing(*given)

    def _engine(self, reserve_lamports: int) -> Engine:
        given = (self.cluster, self.journal, self.clock, self.progress, self.settings, self.job, self.signers)
        return Engine(*given, reserve_lamports=reserve_lamports)
