"""``ship verify``: the bytecode proof of everything live on a target, now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chains.errors import NeedsPerson, Refused, Resumable
from chains.evm.observing import CheckResult
from pipeline.bundle import load_bundle
from pipeline.manifest.project import load_project
from pipeline.manifest.target import list_targets, load_target
from pipeline.plan import Plan
from pipeline.proving import Proven, live_creations, prove_live
from pipeline.publishing.buckets import Buckets
from pipeline.publishing.naming import names_services
from pipeline.session import Session, accepted_plans, open_session
from pipeline.state.local import ProjectState
from pipeline.ui.base import Ui

if TYPE_CHECKING:
    from chains.evm.explorers.publishing import Outcome
    from pipeline.programs.verify import VerifiedPrograms
    from pipeline.publishing.publish import Published

__all__ = [
    "BundlesMissing",
    "ProofsFailed",
    "SourcesOpen",
    "SourcesRefused",
    "Verified",
    "raise_unpublished",
    "verify_target",
]


class ProofsFailed(NeedsPerson):
    """SHIP-V10: a live contract is not what was built."""

    code = "SHIP-V10"

    @classmethod
    def default_done(cls) -> str:
        return "Nothing was sent."


class BundlesMissing(Refused):
    """SHIP-V11: a live contract cannot be proven, because what it was built from is not here."""

    code = "SHIP-V11"


class SourcesRefused(NeedsPerson):
    """SHIP-V21: a service refused the source of a contract that our own proof holds for what was built."""

    code = "SHIP-V21"


class SourcesOpen(Resumable):
    """SHIP-V22: a service does not show a source yet."""

    code = "SHIP-V22"


@dataclass(frozen=True)
class Verified:
    """The proofs of one target, in the order its units were first deployed."""

    target: str
    chain: dict[str, Any]
    proofs: Sequence[Proven]
    slots: Sequence[CheckResult]
    """Raw implementation, admin and beacon slots: without them a proven implementation need not be the one in use."""
    published: Published | None = None
    """What the target's services show; ``None`` where it names none, or nobody was to be asked."""

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
            **({"services": self.published.to_json()} if self.published is not None else {}),
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
        raise_unpublished(self.published, f"ship verify --chain {self.target}")


def raise_unpublished(published: Published | None, again: str) -> None:
    """Raise for a source that a service refused, else for one it does not show yet, else do nothing."""
    if published is None:
        return
    if refused := published.of("failed"):
        raise SourcesRefused(
            f"{len(refused)} of {len(published.outcomes)} were refused: {_told(refused)}",
            remedy="Our own proof holds, so look at what the service compiled: its settings, or a newer compiler it lacks.",
        )
    if published.open:
        raise SourcesOpen(
            f"{len(published.open)} of {len(published.outcomes)} are not shown yet: {_told(published.open)}",
            done="What was handed in is in the journal; nothing is handed in twice.",
            remedy=f"Run `{again}` again.",
        )


def _told(outcomes: Sequence[Outcome]) -> str:
    shown = [
        f"{o.job.errand.title} at {o.job.explorer.label}: {o.verdict.reason or o.verdict.kind}" for o in outcomes[:3]
    ]
    return "; ".join([*shown, *(["…"] if len(outcomes) > 3 else [])])


def verify_target(root: Path, name: str, ui: Ui, *, local: bool = False, buckets: Buckets | None = None) -> Verified:
    """Prove every contract that is live on the target called ``name``, then see what its services show of them, and hand in
    what they do not. ``local`` proves only; so does a target that names no service, and both read only.
    """
    project = load_project(root)
    target = load_target(project, name)
    asks = not local and names_services(target)
    with open_session(project, target, ui, purpose=f"ship verify --chain {name}", write=asks) as session:
        session.confirm_chain()
        creations = live_creations(session.rows, _plans(session))
        proofs = tuple(prove_live(session.chain.rpc, creations, partial(load_bundle, session.state.project.bundles)))
        identity = session.chain.identity
        chain = {"name": identity.name, "id": identity.id, "genesis_hash": session.genesis_hash}
        slots = tuple(session.chain.check_slots(session.live().values()))
        published = None
        if asks:
            from pipeline.publishing.publish import publish  # start-up: not every target names a service

            published = publish(session, proofs, buckets or Buckets())
        return Verified(name, chain, proofs, slots, published)


def verify_all(root: Path, ui: Ui, *, local: bool = False) -> list[Verified | VerifiedPrograms]:
    """Every target something was deployed to, one after another, their allowances shared."""
    project, buckets = load_project(root), Buckets()
    found: list[Verified | VerifiedPrograms] = []
    for name in list_targets(project):
        if not ProjectState(project.root).target(name).journal.exists():
            continue
        target = load_target(project, name)
        if target.chain.kind == "solana":
            from pipeline.programs.verify import verify_programs  # start-up: Solana targets alone

            found.append(verify_programs(project, target, ui))
        else:
            found.append(verify_target(root, name, ui, local=local, buckets=buckets))
    return found


def report_document(verified: Sequence[Verified | VerifiedPrograms]) -> dict[str, Any]:
    """Everything at once, for machines."""
    return {"schema": 1, "kind": "contract-ship/verify-report", "targets": [one.to_json() for one in verified]}


def _plans(session: Session) -> dict[str, Plan]:
    return {digest: session.plan(digest) for digest in accepted_plans(session.rows)}
