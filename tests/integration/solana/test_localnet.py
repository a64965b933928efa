"""``ship localnet`` for a Solana cluster: found again after anything, never two on one chain, nothing left behind."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from chains.rpc import Endpoint
from chains.solana import localnet
from chains.solana.localnet import NodeKindGone, NodeSettings, SolanaLocalnetFailed, command, running, start, stop
from chains.solana.node_environment import REQUIREMENTS, found_python, node_python
from tests.integration.commands.conftest import run_ship
from tests.support.missing import missing
from tests.support.solana_node import ROOT, until

PROJECT = """
schema = 1
[project]
name = "counter"
version = "0.1.0"
[solana]
root = "."
[programs.counter]
program-id = "DeXWEhMQNpToWWmMCWiBabwzUigb6aiyhuTQyBwLVNDf"
"""


@pytest.fixture(autouse=True)
def _environment() -> None:
    if found_python(ROOT) is None:
        missing("the local Solana node's environment is missing: run scripts/services/litesvm")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    python = found_python(ROOT)
    assert python
    monkeypatch.setenv("SHIP_TOOLS", str(python.parents[3]))
    (tmp_path / "manifests").mkdir()
    (tmp_path / "ship.toml").write_text(PROJECT)
    (tmp_path / "manifests/solana-local.toml").write_text('schema = 1\nextends = "builtin:solana-local"\n')
    return tmp_path


def ship(project: Path, *arguments: str) -> str:
    result = run_ship("localnet", *arguments, "--chain", "solana-local", "-C", str(project))
    assert result.exit_code == 0, result.output
    return result.output


def test_up_status_down_and_reset(project):
    assert ship(project, "status") == "solana-local does not run\n"
    said = ship(project, "up")
    url = said.split()[3]
    try:
        assert "`ship localnet down --chain solana-local` stops it" in said
        assert ship(project, "up") == said
        assert ship(project, "status").startswith(f"solana-local runs at {url}")
        genesis = Endpoint(url).batch([("getGenesisHash", [])])[0]
    finally:
        assert ship(project, "down").startswith("stopped")
    assert ship(project, "down") == "it was not running\n"
    url = ship(project, "up").split()[3]
    assert Endpoint(url).batch([("getGenesisHash", [])])[0] == genesis
    assert "put aside" in ship(project, "reset")
    assert ship(project, "status") == "solana-local does not run\n"
    url = ship(project, "up").split()[3]
    try:
        assert Endpoint(url).batch([("getGenesisHash", [])])[0] != genesis
    finally:
        ship(project, "down")


def test_a_killed_node_is_not_taken_for_a_running_one_and_starts_again(tmp_path):
    net = start(tmp_path, ROOT, kind="localnode")
    os.kill(net.pid, signal.SIGKILL)
    until(lambda: running(tmp_path) is None, "the node is gone")
    again = start(tmp_path, ROOT)
    try:
        assert again.pid != net.pid
        assert start(tmp_path, ROOT) == again == running(tmp_path)
    finally:
        stop(again)
    assert running(tmp_path) is None


def test_a_damaged_chain_is_said_to_be(tmp_path):
    (tmp_path / "chain.sqlite").write_bytes(b"no database" * 100)
    with pytest.raises(SolanaLocalnetFailed, match="not a database") as caught:
        start(tmp_path, ROOT, kind="localnode")
    assert "ship localnet reset" in caught.value.remedy


def test_a_validator_on_path_is_used_and_a_chain_stays_with_what_began_it(tmp_path, monkeypatch):
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    folder = tmp_path / "chain"
    folder.mkdir()
    assert localnet._kind(folder) == "localnode"
    for name in ("surfpool", "solana-test-validator"):
        (programs / name).write_text("#!/bin/sh\n")
        (programs / name).chmod(0o755)
        assert localnet._kind(folder) == name
    (folder / "node.kind").write_text("localnode")
    assert localnet._kind(folder) == "localnode"
    (folder / "node.kind").write_text("surfpool")
    (programs / "surfpool").unlink()
    with pytest.raises(NodeKindGone, match="surfpool"):
        localnet._kind(folder)


@pytest.mark.parametrize("kind", ["solana-test-validator", "surfpool"])
def test_a_validator_listens_on_the_loopback_only_and_keeps_its_chain_in_the_folder(tmp_path, kind):
    given = command(kind, tmp_path, ROOT, 8899, NodeSettings())
    assert "127.0.0.1" in given
    assert "8899" in given
    assert any(str(tmp_path) in argument for argument in given)


def test_the_environment_is_made_once_from_the_pinned_lock(tmp_path, monkeypatch):
    lock = REQUIREMENTS.read_text()
    assert all("--hash=sha256:" in entry for entry in lock.replace("\\\n", "").splitlines() if "==" in entry)
    assert "solders==0.29" in lock
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("chains.solana.node_environment.tools_folders", lambda root: [])
    python = node_python(tmp_path)
    assert python.is_relative_to(tmp_path / "cache")
    made = python.stat().st_ctime_ns
    assert node_python(tmp_path) == python
    assert python.stat().st_ctime_ns == made
    # One that was left half made is made anew.
    (python.parents[1] / ".stamp").unlink()
    assert node_python(tmp_path) == python
    assert (python.parents[1] / ".stamp").is_file()
