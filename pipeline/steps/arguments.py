"""Checking arguments: every value against its ABI type, every reference and address, before minutes go into gates."""

from __future__ import annotations

from dataclasses import dataclass

from chains.evm.node import Node
from chains.evm.planner import Draft, lay_out
from pipeline.bundle import Bundle
from pipeline.manifest.units import evm_units
from pipeline.session import Session
from pipeline.steps.preflight import Ready

__all__ = ["CheckArguments"]


@dataclass(frozen=True)
class CheckArguments:
    """Lays the plan out without simulating or pricing it; raises whatever does not fit."""

    session: Session
    bundle: Bundle
    ready: Ready
    title: str = "checking arguments"

    def run(self) -> Draft:
        session = self.session
        node = Node(session.chain.rpc)
        deployer = self.ready.deployer
        nonce, _, head = session.chain.account(deployer)
        units = evm_units(session.project, session.target)
        with session.chain.simulator(deployer, head) as simulator:
            return lay_out(
                units, self.bundle.artifact, session.live(), node, deployer=deployer, nonce=nonce, simulator=simulator
            )

    def summary(self, result: Draft) -> str:
        return f"{len(result.units)} units, {len(result.checks)} checks"
