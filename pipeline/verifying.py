"""``ship verify``: the bytecode proof of everything live on a target, now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from chains.errors import NeedsPerson, Refused
from chains.evm.observing import CheckResult
from pipeline.bundle import load_bundle
from pipeline.manifest.project import load_project
from pipeline.manifest.target import load_target
from pipeline.plan import Plan
from pipeline.proving import Proven, live_creations, prove_live
from pipeline.session import Session, accepted_plans, open_session
from pipeline.ui.base import Ui

__all__ = ["BundlesMissing", "ProofsFailed", "Verified", "verify_target"]


class ProofsFailed(NeedsPerson):
    """SHIP-V10: a live contract is not what was built."""

    code = "SHIP-V10"

    @classmethod
    def default_done(cls) -> str:
        return "Nothing was sent."


class BundlesMissing(Refused):
    """SHIP-V11: a live contract cannot be proven, because what it was built from is not here."""

    code = "SHIP-V11"


@dataclass(frozen=True)
class Verified:
    """The proofs of one target, in the order its units were first deployed."""

    target: str
    chain: dict[str, Any]
    proofs: Sequence[Proven]
    slots: Sequence[CheckResult]
    """Raw implementation, admin and beacon slots: without them a proven implementation need not be the one in use."""

    def of(self, state: str) -> list[Proven]:
        return [p for p in self.proofs if p.state == state]

    def to_json(self) -> dict[str, Any]:
        return {
            "schema": 1,
            "kind": "contract-ship/verify",
            "target": self.target,
            "chain": self.chain,
            "ok": all(p.state == "proven" for p in self.proofs) and all(s.passed for s in self.slots),
            "contracts": [p.to_json() for p in self.proofs],
            "slots": [{"name": s.name, "address": s.to, "found": s.found, "as_recorded": s.passed} for s in self.slots],
        }

    def raise_problems(self) -> None:
        """Raise for what is wrong, else for what is missing, else do nothing."""
        if failed := self.of("failed"):
            raise ProofsFailed(
                f"{len(failed)} of {len(self.proofs)} contracts on {self.target} are not what was built: "
                + "; ".join(f"{p.creation.name} at {p.creation.address}" for p in failed),
                remedy="Do not use these contracts. Ask a second node; if it agrees, find out what deployed them.",
            )
        if moved := [s for s in self.slots if not s.passed]:
            raise ProofsFailed(
                "; ".join(f"{s.name}: {s.to} uses {s.found}, which is not what was deployed" for s in moved),
                remedy="Somebody upgraded it outside ship. Find out who, before anybody uses it: `ship status` shows more.",
            )
        if missing := self.of("missing"):
            digests = sorted({p.creation.plan.bundle[:12] for p in missing})
            raise BundlesMissing(
                f"{len(missing)} of {len(self.proofs)} contracts on {self.target} cannot be proven: bundle "
                f"{', '.join(digests)} is not whole here",
                remedy="Fetch the bundle into .ship/bundles, or build the commit it came from (`ship record show`).",
            )


def verify_target(root: Path, name: str, ui: Ui) -> Verified:
    """Prove every contract that is live on the target called ``name``. Reads only."""
    project = load_project(root)
    target = load_target(project, name)
    with open_session(project, target, ui, purpose=f"ship verify --chain {name}", write=False) as session:
        session.confirm_chain()
        creations = live_creations(session.rows, _plans(session))
        proofs = tuple(prove_live(session.chain.rpc, creations, partial(load_bundle, session.state.project.bundles)))
        identity = session.chain.identity
        chain = {"name": identity.name, "id": identity.id, "genesis_hash": session.genesis_hash}
        return Verified(name, chain, proofs, tuple(session.chain.check_slots(session.live().values())))


def _plans(session: Session) -> dict[str, Plan]:
    return {digest: session.plan(digest) for digest in accepted_plans(session.rows)}
