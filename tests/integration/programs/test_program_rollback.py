"""Going back on Solana: the record written before the release, drills, checks that fail, account layouts that changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from solders.keypair import Keypair

from pipeline.manifest.project import load_project
from pipeline.manifest.target import load_target
from pipeline.programs.rollback.running import roll_back_programs, show_program_rollback
from pipeline.rollback.drilling import drill_project
from pipeline.rollback.errors import CannotGoBack, NothingToRollBack, StateAtRisk
from pipeline.rollback.running import RollbackOptions, RolledBack
from pipeline.signing.development import _DEVELOPMENT_SEED
from pipeline.steps.check import CheckFailed
from pipeline.ui.plain import PlainUi
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


def _back(project: CounterProject, to: str | None = None, *, accept: bool = False) -> RolledBack:
    loaded = load_project(project.root)
    options = RollbackOptions(to, True, lambda *_: "", accept=accept)
    return roll_back_programs(loaded, load_target(loaded, project.target), options, PlainUi(StringIO()))


def _show(project: CounterProject) -> dict[str, object]:
    loaded = load_project(project.root)
    return show_program_rollback(loaded, load_target(loaded, project.target), None, None, PlainUi(StringIO()))


def _drill(project: CounterProject) -> list[tuple[str, str]]:
    drilled = drill_project(load_project(project.root), project.target, PlainUi(StringIO()))
    return [(one.release, one.state) for target in drilled.targets for one in target.rollbacks]


def test_warm_then_cold_and_the_drill_says_which_would_work(project: CounterProject) -> None:
    with pytest.raises(NothingToRollBack):
        _show(project)
    project.deploy()
    with pytest.raises(CannotGoBack, match="first release"):
        _show(project)
    project.next_version()
    project.deploy()
    path = project.root / "releases/v0.2.0/solana-test.rollback.json"
    written = json.loads(path.read_bytes())
    assert (written["strategy"], written["returns_to"], written["executed"]) == ("solana-warm", "v0.1.0", None)
    hold(written)
    hold(_show(project))
    assert ("v0.2.0", "holds") in _drill(project)

    warm = _back(project)
    assert (warm.returns_to, warm.transactions) == ("v0.1.0", 1)
    assert _back(project).record is None
    assert ("v0.2.0", "there") in _drill(project)

    project.edit('version = "0.2.0"', 'version = "0.3.0"')
    project.edit("warm-rollback = true", "warm-rollback = false")
    project.deploy()
    assert (project.root / "releases/v0.3.0/solana-test.rollback.json").exists()
    assert ("v0.3.0", "holds") in _drill(project)
    cold = _back(project, "0.1.0")
    assert cold.transactions > 5

    record = json.loads((project.root / str(cold.record)).read_bytes())
    assert (record["way"], record["rolls_back"], record["returns_to"]) == ("rollback", "v0.3.0", "v0.1.0")


def test_a_drill_fails_when_the_bytes_are_gone(project: CounterProject) -> None:
    project.edit("warm-rollback = true", "warm-rollback = false")
    project.deploy()
    first = {path.name for path in (project.root / ".ship/bundles").iterdir()}
    project.next_version()
    project.deploy()
    assert ("v0.2.0", "holds") in _drill(project)
    for name in first:
        (project.root / ".ship/bundles" / name / "programs/counter.so").unlink()
    assert ("v0.2.0", "broken") in _drill(project)


def test_failed_checks_take_the_release_back_where_the_project_says_so(project: CounterProject) -> None:
    project.deploy()
    project.next_version()
    project.edit('equals = "${deployer}"', f'equals = "{"1" * 32}"')
    with (project.root / "ship.toml").open("a") as file:
        file.write("\n[rollback]\nautomatic = true\n")
    with pytest.raises(CheckFailed) as caught:
        project.deploy()
    assert "rolled back to v0.1.0 by itself" in caught.value.done
    assert caught.value.exit_code == 4
    live = json.loads((project.root / "releases/v0.1.0/solana-test.2.json").read_bytes())
    assert live["approved_by"] == "[rollback] automatic"


def test_another_layout_of_an_account_has_to_be_accepted(project: CounterProject) -> None:
    project.deploy()
    project.next_version()
    idl = project.root / "target/idl/counter.json"
    body = json.loads(idl.read_bytes())
    counter = next(kind for kind in body["types"] if kind["name"] == "Counter")
    counter["type"]["fields"].append({"name": "limit", "type": "u64"})
    idl.write_text(json.dumps(body))
    manifest = (project.root / "ship.toml").read_text()
    (project.root / "ship.toml").write_text(manifest[: manifest.index("[checks.authority]")])
    project.deploy()
    with pytest.raises(StateAtRisk, match="another layout"):
        _back(project)
    assert _back(project, accept=True).state_risks == ()
