"""Contracts and programs of one version in one command: one bundle, a record for each target, and one failing leaves the other whole."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.anvil import Anvil, anvil
from tests.support.fault_proxy import http_status
from tests.support.keyfiles import keyfile, password_file
from tests.support.solana_project import PROGRAM, V1, V2, SolanaProject, solana_project
from tests.support.solana_proxy import SEND

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).resolve().parents[2]
SHIP_TOML = """schema = 1
[project]
name = "mixed"
version = "1.0.0"
[evm]
root = "."
[solana]
root = "anchor"
build = "prebuilt"
[contracts.Registry]
source = "src/Registry.sol:Registry"
args = ["${deployer}"]
[programs.counter]
idl = false
[calls.open]
program = "counter"
instruction = "initialize"
unless = { account = "pda:counter/counter,key:${deployer}" }
[calls.entry]
to = "${contracts.Registry}"
call = "set(bytes32,address)"
args = ["${keccak:COUNTER}", "${deployer}"]
[checks.authority]
program = "counter"
account = "pda:counter/counter,key:${deployer}"
type = "Counter"
field = "authority"
equals = "${deployer}"
"""


@pytest.fixture
def mixed(tmp_path: Path) -> Iterator[tuple[SolanaProject, Anvil]]:
    with solana_project(tmp_path) as project, anvil("--chain-id", "31337") as node:
        root = project.root
        (root / "anchor").mkdir()
        for name in ("Anchor.toml", "programs", "target", "next"):
            shutil.move(root / name, root / "anchor" / name)
        shutil.copytree(ROOT / "tests/projects/counter/src", root / "src")
        shutil.copy(ROOT / "tests/projects/counter/foundry.toml", root)
        (root / "ship.toml").write_text(SHIP_TOML)
        keyfile(root)
        password_file(root)
        project.target()
        _evm(root, node.url)
        yield project, node


def _evm(root: Path, url: str, policy: str = "") -> None:
    (root / "manifests" / "evm.toml").write_text(
        f'schema = 1\nchain = "local"\n[rpc]\nendpoints = ["{url}"]\n[policy]\nfinality = 1\napprovals = 0\nwait-s = 20\n{policy}'
        '[signer]\nbackend = "keystore"\nfile = "key.json"\npassword = "file:password"\n'
    )


def _all(project: SolanaProject, exit_code: int = 0) -> dict[str, Any]:
    """The outcome of each target."""
    done = project.ship("deploy", "--all", "--yes", "--json", exit_code=exit_code)
    return {one["target"]: one for one in json.loads(done.stdout)["targets"]}


def _record(project: SolanaProject, outcome: dict[str, Any]) -> dict[str, Any]:
    return dict(json.loads((project.root / outcome["record"]).read_text()))


def _next(project: SolanaProject) -> None:
    anchor = project.root / "anchor"
    shutil.copytree(anchor / "next", anchor / "target", dirs_exist_ok=True)
    project.edit('version = "1.0.0"', 'version = "1.1.0"')


def test_contracts_and_programs_of_one_version(mixed: tuple[SolanaProject, Anvil]) -> None:
    project, node = mixed
    done = _all(project)
    records = {name: _record(project, one) for name, one in done.items()}
    assert set(records) == {"evm", "here"}
    assert len({one["bundle"] for one in records.values()}) == 1
    assert {one["version"] for one in records.values()} == {"1.0.0"}
    assert (set(records["evm"]["units"]), set(records["here"]["units"])) == ({"Registry", "entry"}, {"counter", "open"})
    assert records["here"]["units"]["counter"]["address"] == PROGRAM
    assert project.runs(V1)
    assert node.code(done["evm"]["units"]["Registry"]["address"])

    sent = len(project.sent)
    assert {name: one["sent"] for name, one in _all(project).items()} == {"evm": 0, "here": 0}
    assert len(project.sent) == sent

    _next(project)
    again = _all(project)
    assert project.runs(V2)
    assert again["evm"]["sent"] == 0
    assert len({_record(project, one)["bundle"] for one in again.values()}) == 1
    project.ship("record", "verify")


def test_the_cluster_fails_and_the_chain_is_whole(mixed: tuple[SolanaProject, Anvil]) -> None:
    project, _ = mixed
    project.target(policy={"wait-s": 2})
    for proxy in project.proxies:
        proxy.add(http_status(503, SEND, times=None))
    done = _all(project, exit_code=3)
    assert done["evm"]["outcome"] == "done"
    assert (done["here"]["outcome"], done["here"]["record"]) == ("resumable", None)
    for proxy in project.proxies:
        proxy.clear()
    project.target(policy={})
    healed = _all(project)
    assert (healed["evm"]["sent"], healed["here"]["outcome"]) == (0, "done")
    assert _record(project, healed["here"])["bundle"] == _record(project, done["evm"])["bundle"]
    assert project.runs(V1)


def test_the_chain_fails_and_the_cluster_is_whole(mixed: tuple[SolanaProject, Anvil]) -> None:
    project, node = mixed
    _evm(project.root, node.url, 'max-cost = "1 wei"\n')
    done = _all(project, exit_code=2)
    assert done["here"]["outcome"] == "done"
    assert (done["evm"]["outcome"], done["evm"]["sent"]) == ("refused", 0)
    assert project.runs(V1)
    _evm(project.root, node.url)
    healed = _all(project)
    assert (healed["here"]["sent"], healed["evm"]["outcome"]) == (0, "done")
