"""Verifying: our own proof that the chain holds the bundle's bytes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from chains.errors import NeedsPerson
from chains.evm.verify.bytecode import Proof
from pipeline.bundle import load_bundle
from pipeline.plan import Plan
from pipeline.proving import Proven, live_creations, prove_live
from pipeline.session import Session, accepted_plans

__all__ = ["ProofFailed", "Verify"]


class ProofFailed(NeedsPerson):
    """SHIP-V01: a contract on chain is not what was built."""

    code = "SHIP-V01"


@dataclass(frozen=True)
class Verify:
    """Reads runtime code, creation input and re-execution of every live contract, of this plan and of earlier ones."""

    session: Session
    plan: Plan
    title: str = "verifying bytecode"

    def run(self) -> list[Proven]:
        session = self.session
        plans = {digest: session.plan(digest) for digest in accepted_plans(session.rows)}
        bundles = partial(load_bundle, session.state.project.bundles)
        proofs: list[Proven] = []
        wrong: list[str] = []
        for proven in prove_live(session.chain.rpc, live_creations(session.rows, plans), bundles):
            name, proof = proven.creation.name, proven.proof
            if proof is None:
                if proven.error and proven.creation.plan.digest == self.plan.digest:
                    raise proven.error
                session.ui.item(name, "unproven", proven.error.cause if proven.error else proven.reason)
                continue
            proofs.append(proven)
            session.ui.item(name, proven.state, _note(proof))
            if proof.problems:
                wrong.append(f"{name} at {proof.address}: {'; '.join(proof.problems)}")
        if wrong:
            raise ProofFailed(
                " · ".join(wrong),
                remedy="Do not use these contracts. Ask a second node, then find out what deployed them.",
            )
        return proofs

    def summary(self, result: list[Proven]) -> str:
        exact = sum(p.proof is not None and p.proof.reexecution == "match" for p in result)
        return f"{len(result)} contracts proven, {exact} of them reproduced byte for byte"


def _note(proof: Proof) -> str:
    return {
        "match": "runtime, creation input and re-execution",
        "differs": "runtime and creation input; run again, its constructor gives other immutables",
        "unavailable": "runtime and creation input; the node does not re-execute",
    }[proof.reexecution]
