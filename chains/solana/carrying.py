"""Carries an approved plan out, action by action, each until it is final. Run again after any interruption it goes on where it was."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from chains.base import Clock, Journal, Progress
from chains.solana.announcing import publication_of
from chains.solana.calling import call_once
from chains.solana.engine import Engine
from chains.solana.errands import Errands
from chains.solana.lifecycle import UnitState, fold
from chains.solana.publication import Publishing
from chains.solana.release import SolanaAction, SolanaPlan, instruction_from, job_of
from chains.solana.rpc import Cluster
from chains.solana.sending import Sending
from chains.solana.settings import Settings
from chains.solana.squads.releasing import carry_proposal
from chains.solana.transactions import MessageSigner

__all__ = ["Carrier"]


@dataclass
class Carrier:
    """``signers`` by address. ``bytes_of`` gives a program's bytes by the action that deploys or stages them.

    ``confirm`` is the program's address for an action that makes it immutable, typed again by whoever decides that.
    """

    cluster: Cluster
    journal: Journal
    clock: Clock
    progress: Progress
    settings: Settings
    plan: SolanaPlan
    digest: str
    signers: Mapping[str, MessageSigner]
    bytes_of: Callable[[SolanaAction], bytes]
    confirm: Mapping[str, str] = field(default_factory=dict)
    sent: int = 0

    def run(self) -> None:
        """Until every action is final. Raises what the engine, the errands and ``call_once`` raise; all can be resumed."""
        for action in self.plan.actions:
            if self.state(action).final is None:
                self._carry(action)

    def state(self, action: SolanaAction) -> UnitState:
        return fold(self.journal.rows, self.digest, action.id)

    def _carry(self, action: SolanaAction) -> None:
        match action.kind:
            case "deploy" | "upgrade" | "stage":
                self._program(action)
            case "call":
                made = instruction_from(action.details["instruction"])
                sending = self._sending(action)
                try:
                    call_once(sending, made, [str(m.pubkey) for m in made.accounts if m.is_writable])
                finally:
                    self.sent += sending.sent
            case "authority" | "finalize" | "close":
                self._errand(action)
            case "publish":
                self._publish(action)

    def _program(self, action: SolanaAction) -> None:
        job = job_of(action, self.plan, self.digest, self.bytes_of(action))
        if "squads" in action.details:
            given = (self.cluster, self.journal, self.clock, self.progress, self.settings, action, job, self.signers)
            before = len(self.journal.rows)
            try:
                carry_proposal(*given)
            finally:
                self.sent += _signed_since(self.journal, before)
            return
        engine = Engine(self.cluster, self.journal, self.clock, self.progress, self.settings, job, self.signers)
        try:
            engine.run()
        finally:
            self.sent += engine.sent

    def _publish(self, action: SolanaAction) -> None:
        publishing = Publishing(
            self.cluster,
            self.journal,
            self.clock,
            self.progress,
            self.settings,
            publication_of(action, self.digest),
            self.signers,
        )
        try:
            publishing.run()
        finally:
            self.sent += publishing.sent

    def _errand(self, action: SolanaAction) -> None:
        errands = Errands(
            self.cluster,
            self.journal,
            self.clock,
            self.progress,
            self.settings,
            self.digest,
            self.plan.payer,
            self.signers,
        )
        details = action.details
        try:
            if action.kind == "close":
                errands.close_buffer(details["buffer"], details["authority"], self.plan.payer, unit=action.id)
            elif action.kind == "authority":
                errands.move_authority(details["program"], details["from"], details["to"], unit=action.id)
            else:
                confirm = self.confirm.get(details["program"], "")
                errands.finalize(details["program"], details["from"], confirm=confirm, unit=action.id)
        finally:
            self.sent += errands.sent

    def _sending(self, action: SolanaAction) -> Sending:
        return Sending(
            self.cluster,
            self.journal,
            self.clock,
            self.progress,
            self.settings,
            self.digest,
            action.id,
            self.plan.payer,
            self.signers,
        )


def _signed_since(journal: Journal, before: int) -> int:
    """Transactions that were signed by this run: each was handed to a node."""
    rows = journal.rows[before:]
    return sum(len(r.data["writes"]) if r.kind == "sol.writing" else r.kind == "sol.signed" for r in rows)
