"""The loader engine on the real loader: deploy, upgrade, extend, kill it anywhere, refuse what must be refused."""

from __future__ import annotations

import pytest
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from chains.errors import NeedsPerson, Refused
from chains.solana.engine import BalanceShort
from chains.solana.job import AuthorityMismatch, ProgramChanged
from chains.solana.layouts import elf_sha256
from chains.solana.transactions import SignatureWrong, SignerMissing, Unsigned
from tests.support.solana_node import COUNTER, SolanaNode
from tests.support.solana_proxy import SEND, solana_proxy
from tests.support.solana_release import Killed, LocalKey, Release

V1 = (COUNTER / "target" / "deploy" / "counter.so").read_bytes()
V2 = (COUNTER / "next" / "deploy" / "counter.so").read_bytes()


@pytest.fixture
def release(shared: SolanaNode, tmp_path) -> Release:
    return Release.of(shared, tmp_path)


def upgraded(release: Release, elf: bytes = V2, room: int = 20_000) -> Release:
    """The same program, deployed, with a plan that upgrades it."""
    release.engine(release.job(V1, max_length=room)).run()
    release.plan = "cd" * 32
    return release


def test_deploy_then_nothing(release: Release) -> None:
    job = release.job(V1)
    engine = release.engine(job)
    final = engine.run().final
    assert final is not None
    assert final["sha256"] == elf_sha256(V1)
    assert release.live() == V1
    assert engine.writes == 5  # 4,312 bytes in chunks of 1,012
    again = release.engine(job)
    again.run()
    assert (again.writes, again.sending.sent) == (0, 0)


def test_the_authority_signs_the_deployment_alone(release: Release) -> None:
    release.engine(release.job(V1)).run()
    assert release.authority.asked == ["deploy"]
    assert release.program.asked == ["deploy"]


def test_upgrade(release: Release) -> None:
    upgraded(release)
    release.engine(release.job(V2, "upgrade", max_length=20_000, before_sha256=elf_sha256(V1))).run()
    assert release.live().rstrip(b"\0") == V2.rstrip(b"\0")
    assert release.authority.asked == ["deploy", "upgrade"]


def test_a_grown_program_is_extended_by_an_action_of_the_plan(release: Release) -> None:
    upgraded(release, room=len(V1))
    job = release.job(V2, "upgrade", max_length=len(V1) + 10_240, before_sha256=elf_sha256(V1), extend_bytes=10_240)
    release.engine(job).run()
    assert len(release.live()) == len(V1) + 10_240
    assert [row["step"] for row in release.rows("sol.signed")][-1] == "upgrade"


def test_lamports_put_at_the_buffers_address_first_stop_nothing(release: Release) -> None:
    job = release.job(V1)
    release.node.call("requestAirdrop", job.buffer, 890_880)
    release.node.advance(33)
    release.engine(job).run()
    assert release.live() == V1


def test_killed_after_every_row(shared: SolanaNode, tmp_path) -> None:
    """Each row once: run on to the end, one buffer, each step once, no orphan."""
    release = Release.of(shared, tmp_path)
    upgraded(release)
    job = release.job(V2, "upgrade", max_length=20_000, before_sha256=elf_sha256(V1))
    kills = 0
    with solana_proxy(shared.url) as proxy:
        while True:
            rows = len(release.journal().rows)
            engine = release.engine(job, urls=[proxy.url], kill_after=rows + 1)
            try:
                engine.run()
            except Killed:
                kills += 1
                continue
            break
        sent = list(proxy.sent)
    assert kills >= 9
    signed = [row["step"] for row in release.rows("sol.signed") if row["plan"] == release.plan]
    assert signed == ["create", "handover", "upgrade"]
    assert len([row for row in release.rows("sol.writing") if row["plan"] == release.plan]) == 1
    known = {row["signature"] for row in release.rows("sol.signed")}
    known |= {write[2] for row in release.rows("sol.writing") for write in row["writes"]}
    assert set(sent) <= known  # O2: nothing reached the node that was not on disk
    assert release.live().rstrip(b"\0") == V2.rstrip(b"\0")
    assert release.cluster().buffers_of(release.payer.address) == []
    assert release.cluster().buffers_of(release.authority.address) == []


@pytest.mark.parametrize("after", [1, 3, 6, 8])
def test_killed_between_the_row_and_the_send(shared: SolanaNode, tmp_path, after: int) -> None:
    """Fault 28: the row is there, the node never got it. The same bytes go out, and the same buffer goes on."""
    release = Release.of(shared, tmp_path)
    job = release.job(V1)

    def stop(signature: str) -> None:
        if len(proxy.sent) == after:
            state["stopped"] = True
            raise ConnectionAbortedError

    state = {"stopped": False}
    with solana_proxy(shared.url) as proxy:
        proxy.before_send = stop
        release.engine(job, urls=[proxy.url]).run()
    assert state["stopped"]
    assert len(release.rows("sol.signed")) == 3
    assert release.live() == V1


def test_authority_mismatch_is_refused_before_anything(release: Release) -> None:
    """Fault 30."""
    upgraded(release)
    release.authority = LocalKey(Keypair())
    job = release.job(V2, "upgrade", before_sha256=elf_sha256(V1))
    rows = len(release.journal().rows)
    with pytest.raises(AuthorityMismatch) as refused:
        release.engine(job).run()
    assert isinstance(refused.value, Refused)
    assert len(release.journal().rows) == rows
    assert release.authority.asked == []


def test_a_program_that_somebody_else_upgraded_is_left_alone(release: Release) -> None:
    upgraded(release)
    job = release.job(V2, "upgrade", before_sha256="00" * 32)
    with pytest.raises(ProgramChanged) as stopped:
        release.engine(job).run()
    assert isinstance(stopped.value, NeedsPerson)


def test_a_missing_signer_is_refused_before_anything(release: Release) -> None:
    engine = release.engine(release.job(V1))
    engine.signers = {key: signer for key, signer in engine.signers.items() if key != release.authority.address}
    with pytest.raises(SignerMissing):
        engine.run()
    assert list(release.journal().rows) == []


def test_a_poor_payer_is_refused_before_anything(release: Release) -> None:
    release.payer = LocalKey(Keypair())
    with pytest.raises(BalanceShort):
        release.engine(release.job(V1)).run()
    assert list(release.journal().rows) == []


def test_a_signature_that_does_not_verify_is_never_sent(release: Release) -> None:
    class Wrong(LocalKey):
        def sign(self, unsigned: Unsigned) -> bytes:
            return bytes(self.key.sign_message(unsigned.message + b"!"))

    release.payer = Wrong(release.payer.key)
    with solana_proxy(release.node.url) as proxy:
        with pytest.raises(SignatureWrong):
            release.engine(release.job(V1), urls=[proxy.url]).run()
        assert SEND not in proxy.calls
    assert release.rows("sol.signed") == []


def test_a_buffer_seen_by_its_authority(release: Release) -> None:
    """A killed and forgotten release leaves a buffer that can be found by whoever may close it."""
    job = release.job(V1)
    with pytest.raises(Killed):
        release.engine(job, kill_after=4).run()
    ((found, lamports),) = release.cluster().buffers_of(release.payer.address)
    assert Pubkey.from_string(found) == Pubkey.from_string(job.buffer)
    assert lamports > 0
