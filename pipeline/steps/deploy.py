"""Signing and deploying: the accepted plan, through the journal, onto the chain."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass

from chains.errors import Refused, Resumable, ShipError
from chains.evm.lifecycle import TxState
from chains.evm.sender import Sender
from pipeline.bundle import Bundle
from pipeline.plan import Plan
from pipeline.rpc_signer import ScriptServer
from pipeline.session import Session
from pipeline.signing.base import EvmSigner
from pipeline.signing.opening import PasswordSource, open_backend
from pipeline.signing.policy import PlanPolicy

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
    """Carries the plan out. ``sender`` is kept so that an interrupted run can tell how far it came."""

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
        self.sender: Sender | None = None

    def run(self) -> Sent:
        session = self.session
        assert session.journal is not None
        backend = open_backend(session.target, session.project.root, self.password)
        signer = EvmSigner(backend, PlanPolicy.of(self.plan.body))
        self.sender = session.chain.sender(
            self.plan.body, self.plan.digest, session.journal, signer, self.bundle.artifact
        )
        try:
            with self.server.serving(self.sender) if self.server else nullcontext():
                return Sent(self.sender.run(), self.sender.sent)
        except Refused as error:
            raise self._part_way(error) from error

    def _part_way(self, error: Refused) -> ShipError:
        """A refusal after something was sent is no longer "nothing sent": the run stopped and can be resumed."""
        assert self.sender is not None
        sent = [s for s in self.sender.states.values() if s.attempts]
        if not sent:
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
