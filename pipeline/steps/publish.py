"""Publishing: the sources of what was proven, on the explorers of the target. What they say changes no deployment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chains.errors import Resumable
from pipeline.proving import Proven
from pipeline.publishing.buckets import Buckets
from pipeline.publishing.publish import Published, publish
from pipeline.session import Session

__all__ = ["NotPublished", "Publish"]


class NotPublished(Resumable):
    """SHIP-V20: the target requires its sources to be shown, and a service does not show one."""

    code = "SHIP-V20"


@dataclass(frozen=True)
class Publish:
    """Hands in what is not shown yet, polls what an earlier run handed in, and says what each service shows."""

    session: Session
    proofs: Sequence[Proven]
    buckets: Buckets
    title: str = "publishing sources"

    def run(self) -> Published:
        done = publish(self.session, self.proofs, self.buckets)
        name = self.session.target.name
        missing = [outcome for outcome in done.outcomes if not outcome.verdict.good]
        if missing and self.session.target.spec.verify.required:
            worst = missing[0]
            raise NotPublished(
                f"{len(missing)} of {len(done.outcomes)} are not shown: {worst.job.errand.title} at "
                f"{worst.job.explorer.label}: {worst.verdict.reason or worst.verdict.kind}",
                done="Everything was deployed, and is proven and final.",
                remedy=f"Run the same command again, or `ship verify --chain {name}`.",
            )
        if missing:
            self.session.ui.note(
                f"{len(missing)} of {len(done.outcomes)} are not shown yet; the deployment is final all the same. "
                f"`ship verify --chain {name}` goes on with them"
            )
        return done

    def summary(self, result: Published) -> str:
        return result.sentence()
