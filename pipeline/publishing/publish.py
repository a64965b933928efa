"""Publishing what is proven on every service of a target, side by side; what came out, and what to say of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from chains.evm.explorers.errands import Pace
from chains.evm.explorers.publishing import Outcome, Publisher
from pipeline.bundle import load_bundle
from pipeline.manifest.verify_spec import LICENSES
from pipeline.proving import Proven, prove_live
from pipeline.publishing.buckets import Buckets
from pipeline.publishing.children import children
from pipeline.publishing.remembering import JournalMemory
from pipeline.publishing.services import explorers_of
from pipeline.publishing.subjects import Contract, contracts_of, jobs_for
from pipeline.session import Session

__all__ = ["Published", "publish", "publish_contracts"]


@dataclass(frozen=True)
class Published:
    """One outcome for each contract and proxy at each service."""

    outcomes: tuple[Outcome, ...]
    inner: tuple[str, ...] = ()
    """The addresses, lower case, of what contracts created."""

    def of(self, *kinds: str) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if outcome.verdict.kind in kinds]

    @property
    def open(self) -> list[Outcome]:
        """What another run may still change."""
        return self.of("pending", "unknown")

    def to_json(self) -> list[dict[str, Any]]:
        return [
            {
                "service": outcome.job.explorer.name,
                "what": outcome.job.errand.subject.kind,
                "title": outcome.job.errand.title,
                "address": outcome.job.errand.subject.address,
                "of": outcome.job.errand.subject.of,
                "verdict": outcome.verdict.kind,
                "reason": outcome.verdict.reason or None,
                "url": outcome.verdict.url,
            }
            for outcome in self.outcomes
        ]

    def sentence(self) -> str:
        """For a summary line."""
        counts = {kind: len(self.of(kind)) for kind in ("exact", "already", "partial", "pending", "unknown", "failed")}
        return ", ".join(f"{count} {kind}" for kind, count in counts.items() if count) or "nothing to publish"


def publish(session: Session, proofs: Iterable[Proven], buckets: Buckets, pace: Pace | None = None) -> Published:
    """Every proven contract of the target, and what those created, at every service it names.

    The journal has to be open for writing.
    """
    proofs, bundles = list(proofs), partial(load_bundle, session.state.project.bundles)
    inner = children(session, [proven.creation for proven in proofs], bundles)
    proofs += prove_live(session.chain.rpc, inner, bundles)
    contracts = list(contracts_of(proofs, bundles))
    published = publish_contracts(session, contracts, buckets, pace)
    return replace(published, inner=tuple(sorted(creation.address.lower() for creation in inner)))


def publish_contracts(
    session: Session, contracts: Sequence[Contract], buckets: Buckets, pace: Pace | None = None, *, links: bool = True
) -> Published:
    """These contracts, and (``links``) the proxies of the target that run one of them."""
    assert session.journal is not None
    verify = session.target.spec.verify
    jobs = jobs_for(
        explorers_of(session.project, session.target, buckets),
        contracts,
        session.live() if links else {},
        chain_id=session.chain.identity.id,
        license_number=LICENSES.get(verify.license or "", 1),
    )
    publisher = Publisher(
        JournalMemory(session.journal), session.ui, float(verify.wait_s), pace or Pace(), clock=buckets.clock
    )
    return Published(tuple(publisher.publish(jobs)))
