"""A program through its life: released, upgraded to a larger one, taken back from a staged buffer and from the store, upgraded again.

What it does each time is seen through a client that no one here wrote, over two providers of one cluster.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from solders.keypair import Keypair

from tests.support.counter_client import CounterClient
from tests.support.solana_fakes import put_metadata_fake
from tests.support.solana_project import PROGRAM, V1, V2, SolanaProject, solana_project

pytestmark = pytest.mark.e2e


def _idle(project: SolanaProject) -> None:
    """A run with nothing to do sends nothing and signs nothing."""
    before = (len(project.sent), len(project.rows("sol.signed")))
    assert project.deploy()["sent"] == 0
    assert (len(project.sent), len(project.rows("sol.signed"))) == before


def test_the_life_of_a_program(tmp_path: Path) -> None:
    with solana_project(tmp_path) as project:
        first = project.deploy()
        assert first["record"] == "releases/v0.1.0/here.json"
        assert project.runs(V1)
        _idle(project)
        user = Keypair()
        project.fund(str(user.pubkey()))
        client = CounterClient(project.node.url, user)
        client.open()
        assert (client.increment(), client.add(40)) == (1, None)

        project.next_version()
        second = project.deploy()
        assert second["sent"] > 0
        assert project.runs(V2)
        assert "extend" in {row["step"] for row in project.rows("sol.signed")}
        _idle(project)
        assert (client.increment(), client.add(40)) == (2, 42)
        (staged,) = project.cluster.buffers_of(json.loads((project.root / first["record"]).read_text())["signer"])
        record = json.loads((project.root / second["record"]).read_text())
        (way,) = record["rollback"]
        assert (way["strategy"], way["buffer"], way["transactions"]) == ("warm", staged[0], ["upgrade"])

        shown = project.rollback()
        assert shown["strategy"] == "solana-warm", shown
        sent = set(project.sent)
        back = project.rollback("--execute", "--yes")
        assert (back["sent"], len(set(project.sent) - sent)) == (1, 1)
        assert project.runs(V1)
        assert (client.increment(), client.add(1)) == (43, None)
        assert project.rollback("--execute", "--yes")["sent"] == 0
        assert project.cluster.buffers_of(record["signer"]) == []

        project.edit('version = "0.2.0"', 'version = "0.2.1"')
        project.edit("warm-rollback = true", "warm-rollback = false")
        again = project.deploy()
        assert project.runs(V2)
        assert client.add(7) == 50
        shown = project.rollback()
        assert shown["strategy"] == "solana-cold", shown
        cold = project.rollback("--execute", "--yes")
        assert cold["sent"] > 1
        assert project.runs(V1)
        assert (client.increment(), client.add(1)) == (51, None)
        project.edit('version = "0.2.1"', 'version = "0.2.2"')
        last = project.deploy()
        assert project.runs(V2)
        assert client.add(9) == 60
        _idle(project)

        for document in (first, second, again, last):
            project.ship("record", "verify", Path(document["record"]).parent.name, "--chain", "here")
        status = json.loads(project.ship("status", "--chain", "here", "--json").stdout)
        (target,) = status["targets"]
        assert [(unit["name"], unit["comparison"]) for unit in target["units"]] == [
            ("counter", "same"),
            ("open", "same"),
        ]
        assert (target["drift"], target["unfinished"]) == ([], None)
        verified = json.loads(project.ship("verify", "--chain", "here", "--json").stdout)
        assert [(one["address"], one["bytes"]) for one in verified["programs"]] == [(PROGRAM, "match")]
        project.hold()


def test_what_is_published_beside_a_program_goes_through_the_guard(tmp_path: Path) -> None:
    """The fake of the metadata program stands where the real one is; small and large documents, first and anew."""
    with solana_project(tmp_path) as project:
        put_metadata_fake(project.node)
        project.edit("idl = false", "idl = true")
        first = project.deploy()
        published = [row for row in project.rows("sol.final") if row["unit"] not in {"counter", "open"}]
        assert len(published) == 1
        _idle(project)
        project.next_version()
        idl = project.root / "target" / "idl" / "counter.json"
        docs = [f"{number * 0x9E3779B97F4A7C15 % 2**64:x}" for number in range(300)]
        idl.write_text(json.dumps({**json.loads(idl.read_text()), "docs": docs}))
        second = project.deploy()
        assert second["sent"] > first["sent"]
        assert project.runs(V2)
        _idle(project)
        project.hold()
