"""Every document a Solana target gives is what docs/schema says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from solders.keypair import Keypair

from pipeline.cli.group import ship
from pipeline.signing.development import _DEVELOPMENT_SEED
from tests.support.counter_project import CounterProject, counter_project
from tests.support.schemas import hold
from tests.support.solana_node import solana_node

DEVELOPMENT = str(Keypair.from_seed(_DEVELOPMENT_SEED).pubkey())


@pytest.fixture
def project(tmp_path: Path) -> Iterator[CounterProject]:
    with solana_node(tmp_path / "node", slot_ms=20, finalized_lag=8) as node:
        node.call("requestAirdrop", DEVELOPMENT, 100 * 10**9)
        node.advance(2)
        yield counter_project(tmp_path, node.url)


def test_documents_hold(project: CounterProject) -> None:
    chain = ("--chain", project.target)
    for arguments in (
        ("build",),
        ("plan", *chain),
        ("deploy", *chain, "--yes"),
        ("deploy", *chain, "--yes"),
        ("status",),
        ("verify", *chain),
        ("verify", "--all", "--report"),
        ("record", "show"),
        ("record", "verify"),
    ):
        ran = CliRunner().invoke(ship, [*arguments, "-C", str(project.root), "--json"])
        assert ran.exit_code == 0, (arguments, ran.output)
        document = json.loads(ran.stdout)
        hold(document)
    assert [finding["state"] for one in document["records"] for finding in one["findings"]].count("failed") == 0
