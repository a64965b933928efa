"""Signing and deploying: the accepted plan, through the journal, onto the chain."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from chains.errors import Refused, Resumable, ShipError
from chains.evm.actions import Action
from chains.evm.lifecycle import TxState, fold
from chains.evm.safe.lifecycle import fold_proposals
from chains.evm.sender import Sender
from pipeline.bundle import Bundle
from pipeline.plan import Plan
from pipeline.proposals.parts import Part, parts, shift_of
from pipeline.session import Session
from pipeline.signing.base import EvmBackend, EvmSigner
from pipeline.signing.carried import CarriedPolicy
from pipeline.signing.context import PasswordSource
from pipeline.signing.guard import Guard, GuardedPolicy
from pipeline.signing.guarding import guard_for, to_come
from pipeline.signing.opening import open_backend
from pipeline.signing.policy import PlanPolicy
from pipeline.signing.with_reservations import DecidingJournal

if TYPE_CHECKING:
    from pipeline.rpc_signer import ScriptServer

__all__ = ["Deploy", "Sent"]


class StoppedPartWay(Resumable):
    """SHIP-D01: something was refused after a part of the plan was sent."""

    code = "SHIP-D01"


@dataclass(frozen=True)
class Sent:
    """Every action is final. ``transactions`` were handed to a node for the first time by this run."""

    states: Mapping[str, TxState]
    transactions: int


class Deploy:
    """Carries the plan out, part by part. ``sent`` tells how far an interrupted run came."""

    title = "signing and deploying"

    def __init__(
        self,
        session: Session,
        plan: Plan,
        bundle: Bundle,
        password: PasswordSource,
        server: ScriptServer | None = None,
    ) -> None:
        self.session = session
        self.plan = plan
        self.bundle = bundle
        self.password = password
        self.server = server
        self.senders: list[Sender] = []

    @property
    def sent(self) -> int:
        """Transactions handed to a node for the first time by this run."""
        return sum(sender.sent for sender in self.senders)

    def run(self) -> Sent:
        session = self.session
        assert session.journal is not None
        backend = open_backend(session.target, session.project.root, self.password)
        guard = guard_for(session, self.plan, backend)
        try:
            guard.foresee(to_come(self.plan, guard))
            for part in parts(self.plan.body):
                if part.proposals:
                    self._carry(part, guard)
                else:
                    shift = shift_of(part, session.journal.rows, self.plan.digest)
                    self._send(guard, part.moved(shift))
        except Refused as error:
            raise self._part_way(error) from error
        return Sent(fold(session.journal.rows, self.plan.digest), self.sent)

    def _carry(self, part: Part, guard: Guard) -> None:
        from pipeline.proposals.carrying import Carrier  # start-up: only plans with proposals need it
        from pipeline.signing.safe_tx import SafeTxSigner

        signer = SafeTxSigner(guard.backend, self.plan.body, guard)
        Carrier(self.session, self.plan, signer, lambda action: self._send(guard, (action,))).carry(part)

    def _send(self, guard: Guard, actions: tuple[Action, ...]) -> None:
        """These transactions, as the approved plan holds them, until they are final."""
        journal = self.session.journal
        assert journal is not None
        body = replace(self.plan.body, actions=actions)
        states = fold_proposals(journal.rows, self.plan.digest)
        policy = GuardedPolicy(CarriedPolicy(self.plan.body, PlanPolicy.of(body), states), guard)
        signer = EvmSigner(guard.backend, policy)
        deciding = DecidingJournal(journal, body, signer)
        sender = self.session.chain.sender(body, self.plan.digest, deciding, signer, self.bundle.artifact)
        self.senders.append(sender)
        if guard.backend.name == "offline":
            self._by_rounds(guard.backend, policy, sender)
        with self.server.serving(sender) if self.server else nullcontext():
            sender.run()

    def _by_rounds(self, backend: EvmBackend, policy: GuardedPolicy, sender: Sender) -> None:
        from pipeline.signing.offline.round import Round
        from pipeline.signing.offline_backend import OfflineBackend

        assert isinstance(backend, OfflineBackend)
        Round(self.session, self.plan, self.bundle, backend, policy, sender.plan.actions).attach(sender)

    def _part_way(self, error: Refused) -> ShipError:
        """A refusal after something was sent is no longer "nothing sent": the run stopped and can be resumed."""
        assert self.session.journal is not None
        states = fold(self.session.journal.rows, self.plan.digest).values()
        sent = [s for s in states if s.attempts]
        if not sent and not any(s.stage == "proposed" for s in states):
            return error
        return StoppedPartWay(
            f"{error.code}: {error.cause}",
            done=f"{len(sent)} of {len(self.plan.body.actions)} transactions were sent before; they are in the journal.",
            remedy=error.remedy,
            where=error.where,
        )

    def summary(self, result: Sent) -> str:
        blocks = {s.mined.block_number for s in result.states.values() if s.mined}
        return f"{result.transactions} sent, {len(result.states)} final in {len(blocks)} block(s)"
