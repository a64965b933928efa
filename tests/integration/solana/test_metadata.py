"""IDL and security contacts published through the Program Metadata program: a FAKE of it, on the real machine and loader."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from collections.abc import Iterator

import pytest
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from chains.solana.engine import BalanceShort
from chains.solana.job import AuthorityMismatch
from chains.solana.metadata.instructions import set_data
from chains.solana.metadata.layout import Form, MetadataUnreadable, canonical_address
from chains.solana.metadata.plan import MetadataLocked, plan_metadata, read_metadata
from chains.solana.metadata.publication import MetadataPublication
from chains.solana.publication import PublicationChanged, ServiceMissing
from chains.solana.transactions import SignerMissing, compile_message, populate
from tests.support.fault_proxy import drop_after, drop_before
from tests.support.solana_fakes import METADATA_PROGRAM, put_metadata_fake
from tests.support.solana_node import COUNTER, SolanaNode, solana_node
from tests.support.solana_proxy import SEND, expired_before_send, solana_proxy, swallow_send
from tests.support.solana_publishing import document, plan_document, publish
from tests.support.solana_release import Killed, LocalKey, Release

V1 = (COUNTER / "target/deploy/counter.so").read_bytes()
IDL = (COUNTER / "target/idl/counter.json").read_bytes()
SMALL, LARGE = document(5), document(600, 1)  # one packet; seven


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SolanaNode]:
    with solana_node(tmp_path_factory.mktemp("node")) as node:
        put_metadata_fake(node)
        yield node


@pytest.fixture
def release(cluster: SolanaNode, tmp_path) -> Release:
    """The counter, deployed."""
    one = Release.of(cluster, tmp_path)
    one.blocks = 8
    one.engine(one.job(V1)).run()
    return one


def read(release: Release, seed: str = "idl") -> bytes | None:
    found = read_metadata(release.cluster(), release.program.address, seed)
    return found.document if found else None


@pytest.mark.parametrize(
    "bodies", [[SMALL, document(9, 2), SMALL], [LARGE, document(1500, 3), LARGE], [IDL, LARGE, IDL]]
)
def test_created_updated_and_then_nothing(release: Release, bodies: list[bytes]) -> None:
    assert read(release) is None
    for number, body in enumerate(bodies):
        planned = plan_document(release, body, plan=f"{number:064x}")
        assert planned.kind == ("update" if number else "create")
        before = release.cluster().balance(release.payer.address)
        state = publish(release, planned.publication)
        spent = before - release.cluster().balance(release.payer.address)
        assert spent == planned.rent_lamports + planned.fee_lamports  # the plan's figures, to the lamport
        assert sum(len(wave["writes"]) for wave in state.waves) + len(state.attempts) == planned.transactions
        assert state.final
        assert state.final["sha256"] == planned.document_sha256
        assert read(release) == body
        assert planned.publication
        assert release.node.account(planned.publication.buffer) is None
        assert plan_document(release, body, plan="ff" * 32).kind == "nothing"
    # The authority signs the one transaction that publishes, whatever has to be written before.
    assert release.authority.asked[-len(bodies) :] == ["publish"] * len(bodies)


def test_security_contacts_lie_beside_the_idl(release: Release) -> None:
    contacts = json.dumps(
        {"name": "Counter", "contacts": ["email:security@example.org"], "policy": "https://…"}
    ).encode()
    publish(release, plan_document(release, IDL).publication)
    publish(release, plan_document(release, contacts, seed="security").publication)
    assert (read(release), read(release, "security")) == (IDL, contacts)


@pytest.mark.parametrize("body", [SMALL, LARGE])
def test_killed_after_each_row(release: Release, body: bytes) -> None:
    before = len(release.journal().rows)
    publication = plan_document(release, body).publication
    rows, runs = before, 0
    while True:
        rows += 1
        try:
            state = publish(release, publication, kill_after=rows)
        except Killed:
            runs += 1
            continue
        break
    assert runs >= 3
    assert state.final
    assert read(release) == body
    steps = [row.data["step"] for row in release.journal().rows[before:] if row.kind == "sol.signed"]
    assert steps == (["publish"] if body is SMALL else ["buffer", "publish"])
    assert publication
    assert release.node.account(publication.buffer) is None
    asked = len(release.authority.asked)
    publish(release, publication)
    assert len(release.authority.asked) == asked


@pytest.mark.parametrize("fault", [drop_before, drop_after, swallow_send, expired_before_send])
@pytest.mark.parametrize("body", [SMALL, LARGE])
def test_faults_on_the_way(release: Release, body: bytes, fault) -> None:
    with solana_proxy(release.node.url) as proxy:
        proxy.add(fault(SEND, times=2) if fault in {drop_before, drop_after} else fault(times=2))
        state = publish(release, plan_document(release, body).publication, urls=[proxy.url])
    assert state.final
    assert read(release) == body
    rows = release.journal().rows
    signed = {row.data["signature"] for row in rows if row.kind == "sol.signed"}
    signed |= {write[2] for row in rows if row.kind == "sol.writing" for write in row.data["writes"]}
    assert set(proxy.sent) <= signed  # nothing reached the node that was not on disk


def test_only_the_upgrade_authority_publishes(release: Release) -> None:
    stranger = LocalKey(Keypair())
    with pytest.raises(AuthorityMismatch) as refused:
        plan_document(release, SMALL, authority=stranger.address)
    assert refused.value.exit_code == 2
    planned = plan_document(release, SMALL).publication
    assert planned
    forged = MetadataPublication.from_json({**planned.to_json(), "authority": stranger.address})
    with pytest.raises(AuthorityMismatch):
        publish(release, forged, keys=[stranger])
    with pytest.raises(SignerMissing):
        publish(Release(**{**release.__dict__, "authority": stranger}), planned)
    assert read(release) is None
    assert [row for row in release.rows("sol.signed") if row["unit"] == "counter/idl"] == []


def test_what_another_published_meanwhile_is_not_written_over(release: Release) -> None:
    late = plan_document(release, LARGE).publication
    publish(release, plan_document(release, SMALL, plan="cd" * 32).publication)
    with pytest.raises(PublicationChanged) as stopped:
        publish(release, late)
    assert stopped.value.exit_code == 4
    assert read(release) == SMALL


def test_what_an_abandoned_plan_left_is_used_or_given_back(release: Release) -> None:
    first = plan_document(release, LARGE)
    rows = len(release.journal().rows)
    with pytest.raises(Killed):
        publish(release, first.publication, kill_after=rows + 4)
    assert first.publication
    assert release.node.account(first.publication.buffer)
    for number, body in enumerate((document(700, 5), SMALL)):
        publish(release, plan_document(release, body, plan=f"{number:064x}").publication)
        assert release.node.account(first.publication.buffer) is None
        assert read(release) == body


def test_an_empty_payer_is_refused_before_anything(release: Release) -> None:
    poor = Release(**{**release.__dict__, "payer": LocalKey(Keypair())})
    with pytest.raises(BalanceShort):
        publish(poor, plan_document(poor, LARGE).publication)
    assert [row for row in release.rows("sol.planned") if row["unit"] == "counter/idl"] == []


def test_a_cluster_without_the_program_is_told_so(node: SolanaNode, tmp_path) -> None:
    release = Release.of(node, tmp_path)
    with pytest.raises(ServiceMissing) as refused:
        plan_document(release, SMALL)
    assert refused.value.exit_code == 2


def put(release: Release, data: bytes, **head: int) -> None:
    """Somebody's bytes at the canonical address."""
    program = release.program.key.pubkey()
    form = bytes((head.get("encoding", 1), head.get("compression", 2), 1, head.get("source", 0)))
    body = b"\2" + bytes(program) + bytes(32) + bytes((head.get("mutable", 1), 1)) + b"idl".ljust(16, b"\0") + form
    body += struct.pack("<I5x", len(data)) + data
    given = {"lamports": 10**9, "owner": METADATA_PROGRAM, "data": base64.b64encode(body).decode()}
    release.node.call("ship_setAccount", str(canonical_address(program, "idl")), given)
    release.node.advance(33)


def test_a_bomb_is_not_unpacked(release: Release) -> None:
    put(release, zlib.compress(bytes(64 * 2**20), 9))
    with pytest.raises(MetadataUnreadable):
        read(release)
    put(release, zlib.compress(IDL)[:-4])
    with pytest.raises(MetadataUnreadable):
        plan_document(release, SMALL)


def test_immutable_metadata_is_refused_unless_it_is_right(release: Release) -> None:
    put(release, zlib.compress(IDL), mutable=0)
    assert plan_document(release, IDL).kind == "nothing"
    with pytest.raises(MetadataLocked):
        plan_document(release, SMALL)


def test_what_only_points_elsewhere_is_replaced(release: Release) -> None:
    put(release, b"https://example.org/idl.json", compression=0, source=1)
    assert read(release) is None
    publish(release, plan_document(release, LARGE).publication)
    assert read(release) == LARGE


def test_the_fake_has_the_real_programs_checks(release: Release) -> None:
    """A stranger's signature changes nothing, so that the tests above mean something."""
    publish(release, plan_document(release, SMALL).publication)
    stranger, program = release.node.funded(), release.program.key.pubkey()
    planned = plan_document(release, LARGE).publication
    assert planned
    data = planned.keys[2]
    made = set_data(
        canonical_address(program, "idl"), stranger.pubkey(), program, Pubkey.from_string(data), Form(), b"x"
    )
    message = compile_message(stranger.pubkey(), [made], "1" * 32)
    error, _, _ = release.cluster().simulate(populate(message, [bytes(64)]))
    assert error == {"InstructionError": [0, "IncorrectAuthority"]}


def test_planned_before_the_program_is_deployed(cluster: SolanaNode, tmp_path) -> None:
    release = Release.of(cluster, tmp_path)
    planned = plan_metadata(
        release.cluster(),
        release.plan,
        "counter",
        release.program.address,
        release.payer.address,
        release.authority.address,
        "idl",
        IDL,
    )
    assert planned.kind == "create"
    release.blocks = 8
    release.engine(release.job(V1)).run()
    publish(release, planned.publication)
    assert read(release) == IDL
