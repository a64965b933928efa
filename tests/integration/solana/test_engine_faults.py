"""Faults 25 to 34, each once, by a proxy before the real node. Afterwards: one program, every signature known beforehand."""

from __future__ import annotations

import pytest
from solders.message import to_bytes_versioned
from solders.system_program import TransferParams, transfer

from chains.errors import NeedsPerson
from chains.solana.job import BufferDiffers
from chains.solana.layouts import elf_sha256
from chains.solana.plan import ProgramGrew, plan_program
from chains.solana.settings import NotFinal, Settings, StepFailed
from chains.solana.transactions import compile_message, populate
from tests.support.fault_proxy import Rule, drop_after, drop_before
from tests.support.solana_loader import LOADER
from tests.support.solana_node import COUNTER, SolanaNode
from tests.support.solana_proxy import (
    SEND,
    already_processed,
    expired_before_send,
    forked_away,
    frozen,
    solana_proxy,
    swallow_send,
)
from tests.support.solana_release import Killed, Release

V1 = (COUNTER / "target" / "deploy" / "counter.so").read_bytes()
V2 = (COUNTER / "next" / "deploy" / "counter.so").read_bytes()

CASES = {
    "25 expired on the way, at creation": [expired_before_send()],
    "25 expired on the way, at the deployment": [expired_before_send(after=7)],
    "26 delivered twice": [already_processed(after=7)],
    "27 writes swallowed": [swallow_send(times=3, after=1)],
    "27 writes lost": [drop_before(SEND, after=1, times=1)],
    "31 the deployment's reply is lost": [drop_after(SEND, after=7)],
    "33 the creation is forked away": [forked_away()],
    "33 the deployment is forked away": [forked_away(after=7)],
}


@pytest.mark.parametrize("name", CASES)
def test_fault(node: SolanaNode, tmp_path, name: str) -> None:
    release = Release.of(node, tmp_path)
    release.blocks = 3
    job = release.job(V1)
    rules = [Rule(r.name, r.methods, r.act, r.times, r.chance, r.after) for r in CASES[name]]
    with solana_proxy(node.url) as proxy:
        proxy.add(*rules)
        release.engine(job, urls=[proxy.url]).run()
        assert all(rule.fired for rule in rules)
        sent = list(proxy.sent)
        again = release.engine(job, urls=[proxy.url])
        again.run()
        assert (again.sending.sent, again.writes) == (0, 0)
    assert release.live() == V1
    known = {row["signature"] for row in release.rows("sol.signed")}
    known |= {write[2] for row in release.rows("sol.writing") for write in row["writes"]}
    assert set(sent) <= known
    landed = [s for s in known if (status := node.status(s)) and status["err"] is None]
    steps = {row["signature"]: row["step"] for row in release.rows("sol.signed")}
    assert sorted(steps[s] for s in landed if s in steps) == ["create", "deploy", "handover"]
    assert release.cluster().buffers_of(release.authority.address) == []


def test_no_second_signature_while_the_first_may_land(node: SolanaNode, tmp_path) -> None:
    """Fault 25: a deployment no node takes is sent again as it is, and signed anew only after its blockhash is dead."""
    release = Release.of(node, tmp_path)
    release.blocks, release.settings = 1, Settings(wait_s=20.0)
    with solana_proxy(node.url) as proxy:
        proxy.add(swallow_send(times=None, after=7))
        with pytest.raises(NotFinal):
            release.engine(release.job(V1), urls=[proxy.url]).run()
        assert release.authority.asked == ["deploy"]
        proxy.clear()
        node.call("ship_expireBlockhashes")
        node.advance(64)
        release.engine(release.job(V1), urls=[proxy.url]).run()
    assert release.authority.asked == ["deploy", "deploy"]
    assert len(release.rows("sol.expired")) == 1
    assert release.live() == V1


def test_one_of_two_providers_cannot_prove_expiry(node: SolanaNode, tmp_path) -> None:
    """Fault 25: the other one stands still, so that nothing is signed anew."""
    release = Release.of(node, tmp_path)
    release.blocks, release.settings = 8, Settings(wait_s=30.0)
    with solana_proxy(node.url) as first, solana_proxy(node.url) as second:
        first.add(swallow_send(times=None, after=0))
        second.add(swallow_send(times=None, after=0), frozen("getEpochInfo"))

        def never() -> None:
            assert not any(row.kind == "sol.expired" for row in cold.journal.rows)

        cold = release.engine(release.job(V1), urls=[first.url, second.url], each=never)
        cold.cluster.rpc.endpoints[1].batch([("getEpochInfo", [{"commitment": "finalized"}])])
        with pytest.raises(NotFinal):
            cold.run()
    assert [row["step"] for row in release.rows("sol.signed")] == ["create"]
    assert release.rows("sol.expired") == []


def test_other_bytes_in_the_buffer_are_never_deployed(node: SolanaNode, tmp_path) -> None:
    """Fault 29: the buffer is the authority's already, and holds something else."""
    release = Release.of(node, tmp_path)
    job = release.job(V1)
    with pytest.raises(Killed):
        release.engine(job, kill_after=3).run()
    bad = bytes([V1[0] ^ 1]) + V1[1:]
    other = release.job(bad)
    # Up to the handover's row, with other bytes: the same plan, so the same buffer.
    engine = release.engine(other, kill_after=6)
    with pytest.raises(Killed):
        engine.run()
    node.advance(2)
    release.cluster().send([bytes.fromhex(release.rows("sol.signed")[-1]["raw"])])
    node.advance(40)
    with pytest.raises(BufferDiffers) as stopped:
        release.engine(job).run()
    assert isinstance(stopped.value, NeedsPerson)
    assert "deploy" not in release.authority.asked
    account = node.account(release.program.address)
    assert account is None or account["owner"] != str(LOADER)


def test_a_deployment_that_failed_on_chain_is_not_repeated(node: SolanaNode, tmp_path) -> None:
    """It landed with an error after its simulation had succeeded: the payer was emptied in between."""
    release = Release.of(node, tmp_path)
    with solana_proxy(node.url) as proxy:

        def rob(signature: str) -> None:
            if len(proxy.sent) != 8:
                return
            payer = release.payer.key
            held = int(node.call("getBalance", release.payer.address)["value"])
            move = transfer(
                TransferParams(
                    from_pubkey=payer.pubkey(), to_pubkey=release.authority.key.pubkey(), lamports=held - 1_000_000
                )
            )
            message = compile_message(payer.pubkey(), [move], node.blockhash())
            raw = populate(message, [bytes(payer.sign_message(to_bytes_versioned(message)))])
            release.cluster().send([raw])

        proxy.before_send = rob
        with pytest.raises(StepFailed):
            release.engine(release.job(V1), urls=[proxy.url]).run()
    assert release.authority.asked == ["deploy"]
    assert [row["step"] for row in release.rows("sol.failed")] == ["deploy"]


def test_grown_without_an_extension_is_refused(node: SolanaNode, tmp_path) -> None:
    """Fault 34, in the plan."""
    release = Release.of(node, tmp_path)
    release.engine(release.job(V1)).run()
    keys = (release.program.address, release.payer.address, release.authority.address)
    with pytest.raises(ProgramGrew):
        plan_program(release.cluster(), "cd" * 32, "counter", *keys, V2, may_extend=False)
    planned = plan_program(release.cluster(), "cd" * 32, "counter", *keys, V2, may_extend=True)
    assert planned.job is not None
    assert planned.job.extend_bytes == 10_240
    release.plan = "cd" * 32
    release.engine(planned.job).run()
    assert release.live().rstrip(b"\0") == V2.rstrip(b"\0")
    assert elf_sha256(release.live()) == elf_sha256(V2)
    assert plan_program(release.cluster(), "ef" * 32, "counter", *keys, V2).kind == "nothing"


def test_two_providers_prove_expiry_together(node: SolanaNode, tmp_path) -> None:
    """Fault 25: nobody takes the creation until both have said that it is dead."""
    release = Release.of(node, tmp_path)
    release.blocks = 8
    with solana_proxy(node.url) as first, solana_proxy(node.url) as second:

        def heal() -> None:
            if any(row.kind == "sol.expired" for row in engine.journal.rows):
                first.clear()
                second.clear()

        first.add(swallow_send(times=None))
        second.add(swallow_send(times=None))
        engine = release.engine(release.job(V1), urls=[first.url, second.url], each=heal)
        engine.run()
    (expired,) = release.rows("sol.expired")
    assert len(expired["providers"]) == 2
    assert not expired["landed"]
    assert [row["step"] for row in release.rows("sol.signed")] == ["create", "create", "handover", "deploy"]
    assert release.live() == V1
