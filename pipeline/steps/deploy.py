"""Signing and deploying: the accepted plan, through the journal, onto the chain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from chains.evm.lifecycle import TxState
from chains.evm.sender import Sender
from pipeline.bundle import Bundle
from pipeline.plan import Plan
from pipeline.session import Session
from pipeline.signing.base import EvmSigner
from pipeline.signing.opening import PasswordSource, open_backend
from pipeline.signing.policy import PlanPolicy

__all__ = ["Deploy", "Sent"]


@dataclass(frozen=True)
class Sent:
    """Every action is final. ``transactions`` were handed to a node for the first time by this run."""

    states: Mapping[str, TxState]
    transactions: int


class Deploy:
    """Carries the plan out. ``sender`` is kept so that an interrupted run can tell how far it came."""

    title = "signing and deploying"

    def __init__(self, session: Session, plan: Plan, bundle: Bundle, password: PasswordSource) -> None:
        self.session = session
        self.plan = plan
        self.bundle = bundle
        self.password = password
        self.sender: Sender | None = None

    def run(self) -> Sent:
        session = self.session
        assert session.journal is not None
        backend = open_backend(session.target, session.project.root, self.password)
        signer = EvmSigner(backend, PlanPolicy.of(self.plan.body))
        self.sender = session.chain.sender(
            self.plan.body, self.plan.digest, session.journal, signer, self.bundle.artifact
        )
        return Sent(self.sender.run(), self.sender.sent)

    def summary(self, result: Sent) -> str:
        blocks = {s.mined.block_number for s in result.states.values() if s.mined}
        return f"{result.transactions} sent, {len(result.states)} final in {len(blocks)} block(s)"
