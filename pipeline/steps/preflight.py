"""Checking the ground before anything is built: the chain, the journal, the signer."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.publishing.buckets import Buckets
from pipeline.publishing.naming import names_services
from pipeline.session import Session, unfinished_plan
from pipeline.signing.opening import refuse_weak_backend, signer_address

__all__ = ["Preflight", "Ready"]


@dataclass(frozen=True)
class Ready:
    """The chain is the right one. ``unfinished`` is the digest of a plan an earlier run left part-way."""

    deployer: str
    unfinished: str | None


@dataclass(frozen=True)
class Preflight:
    """Refuses a wrong chain, a foreign journal and an unusable signer while nothing has cost time yet."""

    session: Session
    title: str = "checking the ground"

    def run(self) -> Ready:
        refuse_weak_backend(self.session.target)
        deployer = signer_address(self.session.target, self.session.project.root)
        self.session.confirm_chain(deployer)
        if names_services(self.session.target):
            from pipeline.publishing.services import explorers_of  # start-up: not every target names a service

            explorers_of(self.session.project, self.session.target, Buckets())  # a key that is missing is missed now
        return Ready(deployer, unfinished_plan(self.session.rows))

    def summary(self, result: Ready) -> str:
        chain = self.session.chain.identity
        return f"{chain.name} (chain {chain.id}), signer {result.deployer}"
