"""A Solana candidate: promoted to another cluster byte for byte, and proven by a stranger."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from solders.keypair import Keypair

from pipeline.manifest.project import load_project
from pipeline.promotion.finding import Fetching
from pipeline.signing.development import _DEVELOPMENT_SEED
from pipeline.ui.plain import PlainUi
from tests.integration.commands.conftest import run_ship
from tests.integration.release.conftest import Lines, Quick, git
from tests.support.counter_project import CounterProject, counter_project
from tests.support.schemas import hold
from tests.support.solana_node import SolanaNode, solana_node

DEVELOPMENT = str(Keypair.from_seed(_DEVELOPMENT_SEED).pubkey())
TAG = "v0.1.0-rc.1"


def funded(node: SolanaNode) -> SolanaNode:
    node.call("requestAirdrop", DEVELOPMENT, 100 * 10**9)
    node.advance(2)
    return node


@pytest.fixture
def candidate(tmp_path: Path) -> Iterator[tuple[CounterProject, SolanaNode]]:
    with (
        solana_node(tmp_path / "stage", slot_ms=20, finalized_lag=8) as stage,
        solana_node(tmp_path / "prod", slot_ms=20, finalized_lag=8) as prod,
    ):
        project = counter_project(tmp_path, funded(stage).url)
        (project.root / "manifests/prod.toml").write_text(
            f'schema = 1\nextends = "builtin:solana-local"\n\n[rpc]\nendpoints = ["{funded(prod).url}"]\n'
        )
        project.edit('version = "0.1.0"', f'version = "{TAG[1:]}"')
        project.edit("[programs.counter]", '[promote]\nrequire-targets = ["solana-test"]\n\n[programs.counter]')
        project.commit()
        project.deploy()
        yield project, stage


def promote(project: CounterProject):
    return run_ship("promote", TAG, "--chain", "prod", "--local", "--yes", "--json", "-C", str(project.root))


def stored(project: CounterProject, folder: Path) -> Path:
    """What would be published of the candidate, in a folder."""
    ui = PlainUi(Lines())  # type: ignore[arg-type]
    package = Fetching(load_project(project.root), TAG, None, ui, Quick()).run()
    folder.mkdir()
    for name, data in package.files.items():
        (folder / name).write_bytes(data)
    return folder


def test_a_programs_candidate_is_promoted_with_its_very_bytes(candidate):
    project, _ = candidate
    result = promote(project)
    assert result.exit_code == 0, result.output
    hold(json.loads(result.stdout))
    before = json.loads((project.root / f"releases/{TAG}/solana-test.json").read_text())
    after = json.loads((project.root / "releases/v0.1.0/prod.json").read_text())
    hold({"schema": 1, "kind": "contract-ship/records", "records": [{"path": "x", "record": after}]})
    assert (after["promoted_from"], after["bundle"], after["commit"]) == (TAG, before["bundle"], before["commit"])
    assert after["units"]["counter"]["sha256"] == before["units"]["counter"]["sha256"]
    again = promote(project)
    assert again.exit_code == 0, again.output
    assert json.loads(again.stdout)["sent"] == 0


def test_a_candidate_its_cluster_no_longer_runs_is_refused(candidate):
    project, _ = candidate
    project.edit(f'version = "{TAG[1:]}"', 'version = "0.2.0"')
    shutil.copytree(project.root / "next", project.root / "target", dirs_exist_ok=True)
    project.deploy()
    git(project.root, "checkout", "-q", "--", ".")
    result = promote(project)
    assert result.exit_code == 2
    assert "SHIP-R46" in result.output
    assert "program counter" in result.output


def test_a_stranger_proves_a_programs_release(candidate, tmp_path):
    project, stage = candidate
    folder = stored(project, tmp_path / "release")
    result = run_ship("verify-release", TAG, "--from", str(folder), "--rpc", f"solana-test={stage.url}", "--json")
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    hold(document)
    fine = {f["what"] for record in document["records"] for f in record["findings"] if f["state"] == "ok"}
    assert {"genesis", "program counter", "bytes counter"} <= fine
