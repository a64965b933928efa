"""A Solana target's state is shared as an EVM one's: another machine finishes with the same buffer, and deploys once."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from solders.keypair import Keypair

from pipeline.signing.development import _DEVELOPMENT_SEED
from pipeline.state.shared.errors import SharedStateUnreachable
from tests.support.counter_project import CounterProject, counter_project
from tests.support.s3 import Fault, S3Box
from tests.support.solana_node import SolanaNode, solana_node

DEVELOPMENT = str(Keypair.from_seed(_DEVELOPMENT_SEED).pubkey())


@pytest.fixture
def node(tmp_path: Path) -> Iterator[SolanaNode]:
    with solana_node(tmp_path / "node", slot_ms=20, finalized_lag=8) as running:
        running.call("requestAirdrop", DEVELOPMENT, 100 * 10**9)
        running.advance(2)
        yield running


def _kinds(box: S3Box, bucket: str) -> list[str]:
    keys = sorted(key for key in box.keys(bucket) if "/segments/" in key)
    kinds = [json.loads(line)["kind"] for key in keys for line in box.text(bucket, key).splitlines()]
    return [kind for kind in kinds if kind != "contract-ship/segment"]


def test_a_fresh_clone_finishes_a_program_whose_deployer_lost_the_bucket(
    box: S3Box, tmp_path: Path, node: SolanaNode
) -> None:
    bucket = box.bucket()
    first = counter_project(tmp_path, node.url)
    with (first.root / "ship.toml").open("a") as file:
        file.write(box.table(bucket))
    shutil.copytree(first.root, tmp_path / "second")
    second = CounterProject(tmp_path / "second")

    cut: list[bytes] = []

    def lose(path: str, body: bytes) -> None:
        """From the row that says what is signed on, the bucket answers nothing more."""
        if b'"kind":"sol.signed"' in body and not cut:
            cut.append(body)
            box.proxy.faults = [
                Fault("PUT", "/segments/", "after", times=99),
                Fault("GET", "/segments/", 503, times=99),
            ]

    box.proxy.on_put = lose
    with pytest.raises(SharedStateUnreachable):
        first.deploy()
    box.proxy.on_put = None
    box.proxy.faults.clear()
    assert "sol.signed" in _kinds(box, bucket), "it landed, and the run that wrote it could not know"

    outcome = second.deploy()
    assert outcome.outcome == "done"
    kinds = _kinds(box, bucket)
    assert kinds.count("sol.final") == sum(unit.state == "proven" for unit in outcome.units.values())
    assert kinds.count("plan.accepted") == kinds.count("plan.finished") == 1
    assert first.deploy().sent == 0
    assert second.deploy().sent == 0
