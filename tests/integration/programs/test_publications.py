"""What a release puts beside a program: IDL, security contact, build record; through the whole command, on FAKES of the programs
they go through (tests/support/solana)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from chains.rpc import Endpoint, Rpc
from chains.solana.metadata.plan import read_metadata
from chains.solana.rpc import Cluster
from chains.solana.verified.record import read_build
from pipeline.journal import read_rows
from tests.support.counter_project import counter_project
from tests.support.solana_fakes import put_metadata_fake, put_otter_verify_fake
from tests.support.solana_node import COUNTER, SolanaNode, solana_node
from tests.support.verified_builds_fake import verified_builds_fake

DEVELOPMENT = "oeYf6KAJkLYhBuR8CiGc6L4D4Xtfepr85fuDgA9kq96"
PROGRAM = "DeXWEhMQNpToWWmMCWiBabwzUigb6aiyhuTQyBwLVNDf"
REPOSITORY = "https://github.com/acme/counter"
V1 = (COUNTER / "target/deploy/counter.so").read_bytes()
V2 = (COUNTER / "next/deploy/counter.so").read_bytes()


@pytest.fixture
def node(tmp_path: Path) -> Iterator[SolanaNode]:
    with solana_node(tmp_path / "node", slot_ms=20, finalized_lag=8) as node:
        put_metadata_fake(node)
        put_otter_verify_fake(node)
        node.call("requestAirdrop", DEVELOPMENT, 100 * 10**9)
        node.advance(2)
        yield node


def test_idl_security_and_build_are_released_with_the_program(node: SolanaNode, tmp_path: Path) -> None:
    sources: dict[tuple[str, str], bytes] = {}
    with verified_builds_fake(node, sources) as (_, service):
        more = f'\n[verify]\nosec = {{ url = "{service.url}" }}\nrequired = true\n'
        project = counter_project(tmp_path, node.url, more)
        project.edit(
            "idl = false",
            f'security = "security.json"\nverified-build = {{ repository = "{REPOSITORY}", args = ["--library-name", "counter"] }}',
        )
        (project.root / "security.json").write_text('{"name": "counter", "contacts": "email:security@example.org"}')
        first = project.commit()
        sources[(REPOSITORY, first)] = V1
        outcome = project.deploy()
        assert outcome.record, project.said

        cluster = Cluster(Rpc([Endpoint(node.url)]))
        idl, security = read_metadata(cluster, PROGRAM, "idl"), read_metadata(cluster, PROGRAM, "security")
        assert idl
        assert idl.document == (COUNTER / "target/idl/counter.json").read_bytes()
        assert security
        assert security.document == (project.root / "security.json").read_bytes()
        build = read_build(cluster, PROGRAM, DEVELOPMENT)
        assert build
        assert build.fields[:2] == (REPOSITORY, first)
        record = json.loads((project.root / outcome.record).read_bytes())
        assert [(s["service"], s["verdict"]) for s in record["sources"]] == [("osec", "exact")]

        project.next_version()
        second = project.commit()
        sources[(REPOSITORY, second)] = V2
        upgraded = project.deploy()
        assert upgraded.record, project.said
        idl, build = read_metadata(cluster, PROGRAM, "idl"), read_build(cluster, PROGRAM, DEVELOPMENT)
        assert idl
        assert idl.document == (COUNTER / "next/idl/counter.json").read_bytes()
        assert build
        assert build.fields[1] == second
        assert project.deploy().sent == 0

    rows, _, _ = read_rows(Path("journal"), (project.root / "deployments/solana-test/journal.jsonl").read_bytes())
    decisions = [row.data for row in rows if row.kind == "policy.decision"]
    assert {d["verdict"] for d in decisions} == {"allowed"}
    assert {"counter/idl", "counter/security", "counter/build"} <= {d["action"] for d in decisions}
