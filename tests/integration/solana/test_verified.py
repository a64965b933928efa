"""A build's record on chain (a FAKE of otter-verify) and a service that builds again (a FAKE of verify.osec.io, which hashes what
really runs on the node)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from solders.keypair import Keypair

from chains.base import SystemClock
from chains.evm.explorers.base import Verdict
from chains.evm.explorers.bucket import TokenBucket
from chains.evm.explorers.errands import Pace
from chains.evm.explorers.publishing import Job, Publisher
from chains.solana.job import AuthorityMismatch
from chains.solana.publication import ServiceMissing
from chains.solana.verified.layout import Build, build_hash
from chains.solana.verified.record import PlannedBuild, plan_build, read_build
from chains.solana.verified.service import ProgramBuild, VerifiedBuilds, errand_of
from pipeline.publishing.remembering import JournalMemory
from tests.support.explorers import faults
from tests.support.explorers.serving import Service
from tests.support.fault_proxy import drop_after
from tests.support.solana_fakes import put_otter_verify_fake
from tests.support.solana_node import COUNTER, SolanaNode, solana_node
from tests.support.solana_proxy import SEND, solana_proxy
from tests.support.solana_publishing import publish
from tests.support.solana_release import Killed, Quiet, Release
from tests.support.verified_builds_fake import VerifiedBuildsFake, verified_builds_fake

V1 = (COUNTER / "target/deploy/counter.so").read_bytes()
V2 = (COUNTER / "next/deploy/counter.so").read_bytes()
REPOSITORY, FIRST, SECOND = "https://github.com/acme/counter", "11" * 20, "22" * 20
BUILD, NEXT = Build(REPOSITORY, FIRST, ("--library-name", "counter")), Build(REPOSITORY, SECOND)
SOURCES = {(REPOSITORY, FIRST): V1, (REPOSITORY, SECOND): V2}
QUICK = Pace(first_s=0.01, most_s=0.05, lost_s=0.3, confirm_s=0.5)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SolanaNode]:
    with solana_node(tmp_path_factory.mktemp("node")) as node:
        put_otter_verify_fake(node)
        yield node


@pytest.fixture
def release(cluster: SolanaNode, tmp_path) -> Release:
    one = Release.of(cluster, tmp_path)
    one.blocks = 8
    one.engine(one.job(V1, max_length=len(V2))).run()  # with room for the second
    return one


def plan(release: Release, build: Build = BUILD, number: int = 0, **more) -> PlannedBuild:
    keys = (release.program.address, release.payer.address, release.authority.address)
    return plan_build(release.cluster(), f"{number:064x}", "counter", *keys, build, **more)


def upgrade(release: Release) -> None:
    release.plan = "cd" * 32
    release.engine(release.job(V2, "upgrade", extend_bytes=0, max_length=len(V2), before_sha256=build_hash(V1))).run()


def test_recorded_once_and_brought_up_to_date(release: Release) -> None:
    for number, build in enumerate((BUILD, NEXT, BUILD)):
        planned = plan(release, build, number)
        assert planned.kind == ("update" if number else "create")
        before = [release.cluster().balance(key) for key in (release.payer.address, release.authority.address)]
        publish(release, planned.publication)
        after = [release.cluster().balance(key) for key in (release.payer.address, release.authority.address)]
        assert before[0] - after[0] == planned.rent_lamports + planned.fee_lamports
        assert (
            after[1] >= before[1] == 0 or number
        )  # the authority pays nothing; what a shorter record frees is its own
        found = read_build(release.cluster(), release.program.address, release.authority.address)
        assert found
        assert found.says(build)
        assert plan(release, build).kind == "nothing"
    assert plan(release, BUILD, deploys=True).kind == "update"


@pytest.mark.parametrize("lossy", [False, True])
def test_killed_after_each_row(release: Release, lossy: bool) -> None:
    planned, rows, runs = plan(release).publication, len(release.journal().rows), 0
    asked = len(release.authority.asked)
    with solana_proxy(release.node.url) as proxy:
        if lossy:
            proxy.add(drop_after(SEND, times=None))
        while True:
            rows += 1
            try:
                publish(release, planned, urls=[proxy.url], kill_after=rows)
            except Killed:
                runs += 1
                continue
            break
    assert runs >= 3
    assert release.authority.asked[asked:] == ["record"]
    assert read_build(release.cluster(), release.program.address, release.authority.address)


def test_nobody_elses_word_is_recorded(release: Release) -> None:
    stranger = replace(release, authority=replace(release.authority, key=Keypair()))
    with pytest.raises(AuthorityMismatch):
        plan(stranger)


def test_a_cluster_without_the_program_is_told_so(node: SolanaNode, tmp_path) -> None:
    with pytest.raises(ServiceMissing):
        plan(Release.of(node, tmp_path))


# -- the service -------------------------------------------------------------------------------------------------------


def ask(release: Release, service: Service, build: Build = BUILD, elf: bytes = V1, wait_s: float = 5.0) -> Verdict:
    program = ProgramBuild(
        release.program.address, release.authority.address, build_hash(elf), build.git_url, build.commit
    )
    client = VerifiedBuilds(
        "osec", service.url, TokenBucket(1000, SystemClock()), {program.program: program}, timeout_s=2.0
    )
    memory = JournalMemory(release.journal())
    (outcome,) = Publisher(memory, Quiet(), wait_s, QUICK).publish([Job(client, errand_of("counter", program))])
    return outcome.verdict


@pytest.fixture
def recorded(release: Release) -> Iterator[tuple[Release, VerifiedBuildsFake, Service]]:
    publish(release, plan(release).publication)
    with verified_builds_fake(release.node, SOURCES) as (fake, service):
        yield release, fake, service


def test_built_again_and_shown(recorded) -> None:
    release, fake, service = recorded
    assert ask(release, service).kind == "exact"
    assert [row["ticket"] for row in release.rows("verify.submitted")] == [*fake.jobs]
    assert ask(release, service).kind == "already"
    assert len(service.calls("submit")) == 1


def test_after_an_upgrade_the_old_build_is_no_verdict(recorded) -> None:
    release, _, service = recorded
    assert ask(release, service).kind == "exact"
    upgrade(release)
    publish(release, plan(release, NEXT, 1).publication)
    assert ask(release, service, NEXT, V2).kind == "exact"
    found = read_build(release.cluster(), release.program.address, release.authority.address)
    assert found
    assert found.says(NEXT)


@pytest.mark.parametrize(
    "fault",
    [
        faults.lost_reply("submit"),
        faults.lost_reply("job", times=3),
        faults.rate_limited("submit"),
        faults.status(503, "status", times=2),
        faults.html("job"),
        faults.truncated("status"),
        faults.empty("submit"),
    ],
    ids=lambda fault: f"{fault.name} {fault.calls}",
)
def test_faults_of_the_service(recorded, fault) -> None:
    release, fake, service = recorded
    service.faults.add(fault)
    assert ask(release, service, wait_s=20.0).good
    assert len(fake.jobs) == 1


def test_a_jobs_word_alone_is_no_verdict(recorded) -> None:
    release, fake, service = recorded
    fake.lies = True
    verdict = ask(release, service)
    assert verdict.kind == "unknown"
    assert "does not show it" in verdict.reason


def test_another_source_of_the_same_bytes_is_partial(recorded) -> None:
    release, _, service = recorded
    assert ask(release, service).kind == "exact"
    assert ask(release, service, Build(REPOSITORY, "33" * 20)).kind == "partial"


def test_a_failed_build_is_failed(recorded) -> None:
    release, fake, service = recorded
    fake.sources = {}
    assert ask(release, service).kind == "failed"


def test_an_interrupted_run_polls_the_ticket_it_has(recorded) -> None:
    release, fake, service = recorded
    fake.polls = 10**6
    assert ask(release, service, wait_s=0.3).kind == "pending"
    fake.jobs[next(iter(fake.jobs))].polls_left = 1
    assert ask(release, service).kind == "exact"
    assert len(service.calls("submit")) == 1


def test_without_a_record_the_service_has_nothing_to_build(release: Release) -> None:
    with verified_builds_fake(release.node, SOURCES) as (_, service):
        verdict = ask(release, service, wait_s=0.5)
    assert verdict.kind == "unknown"
    assert "PDA not found" in verdict.reason
