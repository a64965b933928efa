"""An authority moved, a program made immutable, an orphan closed: on the real loader."""

from __future__ import annotations

import pytest
from solders.keypair import Keypair

from chains.solana.errands import Errands, NotConfirmedTwice
from chains.solana.job import AuthorityMismatch
from chains.solana.layouts import Account, parse_program_data, program_data_address
from chains.solana.settings import Settings
from chains.solana.transactions import SignerMissing
from tests.support.fault_proxy import drop_after
from tests.support.solana_node import COUNTER, SolanaNode
from tests.support.solana_proxy import SEND, solana_proxy
from tests.support.solana_release import Killed, LocalKey, Quiet, Release, SlotClock

V1 = (COUNTER / "target" / "deploy" / "counter.so").read_bytes()


def errands(release: Release, *keys: LocalKey, url: str = "", plan: str = "ee" * 32) -> Errands:
    clock = SlotClock(release.node)
    signers = {key.address: key for key in (release.payer, *keys)}
    cluster = release.cluster([url] if url else [], clock)
    return Errands(
        cluster, release.journal(), clock, Quiet(), Settings(wait_s=60.0), plan, release.payer.address, signers
    )


def holder(release: Release) -> str:
    found = release.node.account(program_data_address(release.program.key.pubkey()))
    assert found
    return str(parse_program_data(Account(0, found["owner"], found["data"], False, 0)).authority)


@pytest.fixture
def deployed(shared: SolanaNode, tmp_path) -> Release:
    release = Release.of(shared, tmp_path)
    release.engine(release.job(V1)).run()
    return release


def test_authority_moved_with_both_signatures(deployed: Release) -> None:
    new = LocalKey(Keypair())
    run = errands(deployed, deployed.authority, new)
    run.move_authority(deployed.program.address, deployed.authority.address, new.address)
    assert holder(deployed) == new.address
    assert new.asked == ["set-authority"]
    run.move_authority(deployed.program.address, deployed.authority.address, new.address)
    assert new.asked == ["set-authority"]


def test_a_new_authority_that_does_not_sign_is_refused(deployed: Release) -> None:
    """Fault 32."""
    stranger = str(Keypair().pubkey())
    with pytest.raises(SignerMissing) as refused:
        errands(deployed, deployed.authority).move_authority(
            deployed.program.address, deployed.authority.address, stranger
        )
    assert refused.value.exit_code == 2
    assert holder(deployed) == deployed.authority.address
    assert [row["step"] for row in deployed.rows("sol.signed") if row["plan"] == "ee" * 32] == []


def test_a_lost_reply_moves_it_once(deployed: Release) -> None:
    new = LocalKey(Keypair())
    with solana_proxy(deployed.node.url) as proxy:
        proxy.add(drop_after(SEND))
        run = errands(deployed, deployed.authority, new, url=proxy.url)
        run.move_authority(deployed.program.address, deployed.authority.address, new.address)
    assert new.asked == ["set-authority"]
    assert holder(deployed) == new.address


def test_immutable_only_when_told_twice(deployed: Release) -> None:
    run = errands(deployed, deployed.authority)
    with pytest.raises(NotConfirmedTwice):
        run.finalize(deployed.program.address, deployed.authority.address, confirm="yes")
    assert holder(deployed) == deployed.authority.address
    run.finalize(deployed.program.address, deployed.authority.address, confirm=deployed.program.address)
    assert holder(deployed) == "None"


def test_an_orphaned_buffer_gives_its_rent_back(shared: SolanaNode, tmp_path) -> None:
    release = Release.of(shared, tmp_path)
    with pytest.raises(Killed):
        release.engine(release.job(V1), kill_after=4).run()
    ((buffer, lamports),) = release.cluster().buffers_of(release.payer.address)
    before = release.cluster().balance(release.payer.address)
    run = errands(release)
    assert run.close_buffer(buffer, release.payer.address, release.payer.address) == lamports
    assert release.cluster().buffers_of(release.payer.address) == []
    assert release.cluster().balance(release.payer.address) == before + lamports - 5_000
    release.blocks = 8
    release.engine(release.job(V1)).run()  # the same plan makes its buffer anew
    assert release.live() == V1


def test_somebody_elses_buffer_is_not_closed(shared: SolanaNode, tmp_path) -> None:
    release, stranger = Release.of(shared, tmp_path), LocalKey(Keypair())
    with pytest.raises(Killed):
        release.engine(release.job(V1), kill_after=3).run()
    ((buffer, _),) = release.cluster().buffers_of(release.payer.address)
    run = errands(release, stranger)
    with pytest.raises(AuthorityMismatch):
        run.close_buffer(buffer, stranger.address, stranger.address)
