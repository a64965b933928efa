"""Having recorded builds built again by a service, and saying what it shows. What it says changes no deployment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from chains.evm.explorers.errands import Pace
from chains.evm.explorers.publishing import Job, Publisher
from chains.solana.announcing import publication_of
from chains.solana.verified.record import BuildRecord
from chains.solana.verified.service import ProgramBuild, VerifiedBuilds, errand_of
from pipeline.programs.plan import ProgramPlan
from pipeline.programs.session import ProgramSession
from pipeline.publishing.buckets import Buckets
from pipeline.publishing.publish import Published
from pipeline.publishing.remembering import JournalMemory
from pipeline.session import accepted_plans
from pipeline.steps.publish import NotPublished

__all__ = ["PublishBuilds", "names_build_service"]

_OSEC = "https://verify.osec.io"


def names_build_service(session: ProgramSession) -> bool:
    osec = session.target.spec.verify.osec
    return osec is not None and osec.enabled


@dataclass(frozen=True)
class PublishBuilds:
    """Hands in what is not shown yet, polls what an earlier run handed in."""

    session: ProgramSession
    plan: ProgramPlan
    buckets: Buckets
    title: str = "having builds verified"

    def run(self) -> Published:
        session = self.session
        assert session.journal is not None
        verify = session.target.spec.verify
        assert verify.osec is not None
        builds = {build.program: (name, build) for name, build in self._builds()}
        url = verify.osec.url or _OSEC
        service = VerifiedBuilds(
            "osec",
            url,
            self.buckets.of(url, None, verify.osec.rate_per_s),
            {program: build for program, (_, build) in builds.items()},
        )
        jobs = [Job(service, errand_of(name, build)) for name, build in builds.values()]
        publisher = Publisher(
            JournalMemory(session.journal), session.ui, float(verify.wait_s), Pace(), clock=self.buckets.clock
        )
        published = Published(tuple(publisher.publish(jobs)))
        missing = [outcome for outcome in published.outcomes if not outcome.verdict.good]
        if missing and verify.required:
            raise NotPublished(
                f"{len(missing)} of {len(jobs)} builds are not shown as verified: "
                f"{missing[0].verdict.reason or missing[0].verdict.kind}",
                done="Everything was deployed, and is proven and final.",
                remedy=f"Run the same command again, or `ship verify --chain {session.target.name}`.",
            )
        return published

    def _builds(self) -> Iterator[tuple[str, ProgramBuild]]:
        """The newest record of each program that is live, whichever plan wrote it."""
        live = self.session.live()
        for name, unit in live.items():
            record = self._record(name)
            if record is not None:
                build = record.build
                yield name, ProgramBuild(unit.program, record.authority, unit.sha256, build.git_url, build.commit)

    def _record(self, name: str) -> BuildRecord | None:
        for digest in reversed(accepted_plans(self.session.rows)):
            for action in self.session.plan(digest).body.actions:
                if action.kind == "publish" and action.unit == name and action.details["what"] == "build":
                    found = publication_of(action, digest)
                    assert isinstance(found, BuildRecord)
                    return found
        return None

    def summary(self, result: Published) -> str:
        return result.sentence()
