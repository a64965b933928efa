"""The legacy IDL account, written through a FAKE program that has Anchor's IDL instructions and nothing else."""

from __future__ import annotations

import pytest

from chains.solana.job import AuthorityMismatch
from chains.solana.legacy_idl.plan import PlannedLegacyIdl, carries_instructions, plan_legacy_idl, read_legacy_idl
from chains.solana.publication import ServiceMissing
from tests.support.fault_proxy import drop_after, drop_before
from tests.support.solana_fakes import ANCHOR_IDL_FAKE
from tests.support.solana_node import COUNTER, SolanaNode
from tests.support.solana_proxy import SEND, expired_before_send, solana_proxy, swallow_send
from tests.support.solana_publishing import document, publish
from tests.support.solana_release import Killed, Release

V1 = (COUNTER / "target/deploy/counter.so").read_bytes()
BODIES = (document(5), document(300, 1), document(40, 2), document(1500, 3))  # grows, shrinks, grows past ten kilobytes


def plan(release: Release, body: bytes, number: int = 0, authority: str | None = None) -> PlannedLegacyIdl:
    keys = (release.program.address, release.payer.address, authority or release.authority.address)
    return plan_legacy_idl(release.cluster(), f"{number:064x}", "counter", *keys, body)


@pytest.fixture
def release(shared: SolanaNode, tmp_path) -> Release:
    one = Release.of(shared, tmp_path)
    one.blocks = 8
    one.engine(one.job(ANCHOR_IDL_FAKE.read_bytes())).run()
    return one


def read(release: Release) -> bytes | None:
    found = read_legacy_idl(release.cluster(), release.program.address)
    return found.document if found else None


def test_created_and_updated_whatever_the_size(release: Release) -> None:
    assert read(release) is None
    for number, body in enumerate(BODIES):
        planned = plan(release, body, number)
        before = release.cluster().balance(release.payer.address)
        state = publish(release, planned.publication)
        assert before - release.cluster().balance(release.payer.address) == planned.rent_lamports + planned.fee_lamports
        assert len(state.attempts) == planned.transactions
        assert read(release) == body
        assert planned.publication
        assert release.node.account(planned.publication.buffer) is None
        assert plan(release, body).kind == "nothing"
    assert release.authority.asked[-len(BODIES) :] == ["publish"] * len(BODIES)


def test_killed_after_each_row(release: Release) -> None:
    planned, rows, runs = plan(release, BODIES[1]), len(release.journal().rows), 0
    first = rows
    while True:
        rows += 1
        try:
            publish(release, planned.publication, kill_after=rows)
        except Killed:
            runs += 1
            continue
        break
    assert runs >= planned.transactions
    assert read(release) == BODIES[1]
    steps = [row.data["step"] for row in release.journal().rows[first:] if row.kind == "sol.signed"]
    assert len(steps) == len(set(steps)) == planned.transactions  # an append that came twice would have spoilt it


@pytest.mark.parametrize(
    "fault",
    [
        drop_before(SEND, times=3),
        drop_after(SEND, times=3),
        swallow_send(times=2),
        expired_before_send(times=2, after=1),
    ],
)
def test_faults_on_the_way(release: Release, fault) -> None:
    with solana_proxy(release.node.url) as proxy:
        proxy.add(fault)
        publish(release, plan(release, BODIES[1]).publication, urls=[proxy.url])
    assert read(release) == BODIES[1]


def test_another_authority_is_refused(release: Release) -> None:
    publish(release, plan(release, BODIES[0]).publication)
    with pytest.raises(AuthorityMismatch) as refused:
        plan(release, BODIES[1], 1, authority=release.payer.address)
    assert refused.value.exit_code == 2


def test_a_payer_who_is_the_authority_too(release: Release) -> None:
    for number, body in enumerate((BODIES[1], BODIES[3])):
        publish(release, plan(release, body, number, authority=release.payer.address).publication)
        assert read(release) == body


def test_a_program_without_the_instructions_is_told_apart(shared: SolanaNode, tmp_path) -> None:
    release = Release.of(shared, tmp_path)
    release.engine(release.job(V1)).run()
    assert not carries_instructions(release.cluster(), release.program.address, release.payer.address)
    with pytest.raises(ServiceMissing):
        plan(release, BODIES[0])
