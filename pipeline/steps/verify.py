"""Verifying: our own proof that the chain holds the bundle's bytes."""

from __future__ import annotations

from dataclasses import dataclass

from chains.errors import NeedsPerson
from chains.evm.verify.bytecode import Proof
from pipeline.bundle import Bundle
from pipeline.plan import Plan
from pipeline.session import Session
from pipeline.steps.deploy import Sent

__all__ = ["ProofFailed", "Verify"]


class ProofFailed(NeedsPerson):
    """SHIP-V01: a contract on chain is not what was built."""

    code = "SHIP-V01"


@dataclass(frozen=True)
class Verify:
    """Reads runtime code, creation input and re-execution of every contract the plan created."""

    session: Session
    plan: Plan
    bundle: Bundle
    sent: Sent
    title: str = "verifying bytecode"

    def run(self) -> list[Proof]:
        proofs = self.session.chain.prove(self.plan.body, self.sent.states, self.bundle.artifact)
        for proof in proofs:
            self.session.ui.item(proof.action, "failed" if proof.problems else "proven", _note(proof))
        wrong = [f"{p.action} at {p.address}: {'; '.join(p.problems)}" for p in proofs if p.problems]
        if wrong:
            raise ProofFailed(
                " · ".join(wrong),
                remedy="Do not use these contracts. Ask a second node, then find out what deployed them.",
            )
        return proofs

    def summary(self, result: list[Proof]) -> str:
        exact = sum(p.reexecution == "match" for p in result)
        return f"{len(result)} contracts proven, {exact} reproduced byte for byte"


def _note(proof: Proof) -> str:
    return {
        "match": "runtime, creation input and re-execution",
        "differs": "runtime and creation input; its constructor depends on the chain's state",
        "unavailable": "runtime and creation input; the node does not re-execute",
    }[proof.reexecution]
