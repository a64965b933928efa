"""``ship doctor``: what is ready, what is not, and how to get it. It crashes on nothing and shows no secret."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

import chains.tools
from chains.tools import find_tool

COUNTER = Path(__file__).parents[2] / "projects" / "counter"
KEY = "s3cr3tk3ys3cr3tk3ys3cr3tk3y00000"


@pytest.fixture
def project(tmp_path):
    root = tmp_path / "counter"
    shutil.copytree(COUNTER, root)
    return root


@pytest.fixture(scope="module")
def other_chain(tmp_path_factory):
    """anvil as chain 1337, for targets that expect 31337."""
    command = [find_tool("anvil", Path.cwd()), "--host", "127.0.0.1", "--port", "0", "--chain-id", "1337"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        url = next(line.split("Listening on ")[1].strip() for line in process.stdout if "Listening on" in line)
        yield f"http://{url}"
        process.kill()


def target(root, name, endpoints, *more):
    lines = ["schema = 1", 'extends = "builtin:local"', "[rpc]", f"endpoints = {json.dumps(endpoints)}", *more]
    (root / "manifests" / f"{name}.toml").write_text("\n".join(lines) + "\n")


def examine(ship, root, *arguments):
    result = ship("doctor", "--json", "-C", str(root), *arguments)
    sections = {s["name"]: s for s in json.loads(result.stdout)["sections"]}
    return sections, result


def of(section, item):
    return next(f for f in section["findings"] if f["item"] == item)


def test_outside_a_project_the_tools_are_looked_at(tmp_path, ship):
    sections, result = examine(ship, tmp_path)
    assert list(sections) == ["tools"]
    assert result.exit_code == 0
    for tool in ("ship", "python", "forge", "anvil", "cast", "slither", "git", "node"):
        assert of(sections["tools"], tool)["state"] == "ok"
    assert of(sections["tools"], "forge")["facts"]["version"].startswith("1.7.")


def test_missing_tools_are_named_with_how_to_get_them(tmp_path, ship, monkeypatch):
    monkeypatch.setattr("chains.tools._candidates", lambda name, root: iter(()))
    sections, result = examine(ship, tmp_path)
    assert result.exit_code == 2
    forge = of(sections["tools"], "forge")
    assert (forge["state"], "bootstrap" in forge["remedy"]) == ("missing", True)
    assert of(sections["tools"], "cast")["state"] == "warn"


def test_a_project_without_slither_does_not_need_it(project, ship, monkeypatch):
    look = chains.tools._candidates
    monkeypatch.setattr(chains.tools, "_candidates", lambda name, root: () if name == "slither" else look(name, root))
    sections, result = examine(ship, project)
    assert of(sections["tools"], "slither")["state"] == "warn"
    assert result.exit_code == 0


def test_the_embedded_chain_is_not_started(project, ship):
    sections, result = examine(ship, project)
    assert result.exit_code == 0
    assert of(sections["local"], "rpc")["facts"] == {"running": False}
    assert of(sections["local"], "signer")["facts"]["address"] == "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
    assert not (project / ".ship/localnet/local/anvil.pid").exists()


def test_a_running_chain_is_asked_and_the_balance_known(copy, ship):
    assert copy.ship("localnet", "up").exit_code == 0
    try:
        sections, result = examine(ship, copy.root)
    finally:
        copy.ship("localnet", "down")
    assert result.exit_code == 0
    rpc = of(sections["local"], "rpc")["facts"]
    assert (rpc["chain_id"], rpc["simulates"]) == (31337, True)
    assert rpc["client"].startswith("anvil/")
    assert int(of(sections["local"], "balance")["facts"]["wei"]) > 10**21


def test_another_chain_is_wrong(project, ship, other_chain):
    target(project, "dev", [other_chain])
    sections, result = examine(ship, project, "--chain", "dev")
    assert result.exit_code == 2
    assert list(sections) == ["tools", "project", "dev"]
    assert of(sections["dev"], "rpc")["state"] == "wrong"
    assert "serves chain 1337, the target names chain 31337" in of(sections["dev"], "rpc")["found"]


def test_an_endpoint_that_is_down_and_one_whose_variable_is_not_set(project, ship):
    target(project, "dev", ["http://127.0.0.1:9", "env:SHIP_TEST_NOT_SET"])
    sections, result = examine(ship, project)
    assert result.exit_code == 2
    found = [(f["state"], f["found"]) for f in sections["dev"]["findings"] if f["item"] == "rpc"]
    assert [state for state, _ in found] == ["missing", "missing"]
    assert any("SHIP_TEST_NOT_SET is not set" in text for _, text in found)
    assert any("127.0.0.1:9" in text for _, text in found)


@pytest.mark.parametrize("json_flag", [[], ["--json"]])
def test_a_key_in_a_url_is_shown_nowhere(project, ship, other_chain, monkeypatch, json_flag):
    monkeypatch.setenv("SHIP_TEST_RPC", f"{other_chain}/v2/{KEY}")
    target(project, "dev", ["env:SHIP_TEST_RPC", "http://127.0.0.1:9"])
    result = ship("doctor", "-C", str(project), *json_flag)
    assert KEY not in result.output
    assert "127.0.0.1" in result.stdout


def test_one_of_two_endpoints_down_is_a_warning(copy, ship):
    assert copy.ship("localnet", "up").exit_code == 0
    try:
        url = (copy.root / ".ship/localnet/local/anvil.log").read_text().split("Listening on ")[1].split()[0]
        target(copy.root, "dev", [f"http://{url}", "http://127.0.0.1:9"])
        sections, result = examine(ship, copy.root, "--chain", "dev")
    finally:
        copy.ship("localnet", "down")
    assert result.exit_code == 0
    assert sorted(f["state"] for f in sections["dev"]["findings"] if f["item"] == "rpc") == ["ok", "warn"]


def test_a_broken_project_and_a_broken_target_are_findings(project, ship):
    (project / "manifests/bad.toml").write_text('schema = 1\nextends = "builtin:sepola"\n')
    sections, result = examine(ship, project)
    assert result.exit_code == 2
    assert "Did you mean" in of(sections["bad"], "manifests/bad.toml")["found"]
    (project / "ship.toml").write_text("schema = 1\n[project]\nname = 7\n")
    sections, result = examine(ship, project)
    assert result.exit_code == 2
    assert list(sections) == ["tools", "project"]
    assert of(sections["project"], "ship.toml")["facts"]["code"].startswith("SHIP-M")


def test_a_signer_that_cannot_sign_is_named(project, ship, keystore):
    signer = ["[signer]", 'backend = "keystore"', 'file = "key.json"', 'password = "env:SHIP_TEST_NOT_SET"']
    (project / "manifests/keyed.toml").write_text("\n".join(["schema = 1", 'extends = "builtin:local"', *signer]))
    sections, result = examine(ship, project)
    assert (of(sections["keyed"], "signer")["state"], result.exit_code) == ("missing", 2)
    (project / "key.json").write_bytes(keystore[0].read_bytes())
    (project / "key.json").chmod(0o644)
    sections, result = examine(ship, project)
    assert (of(sections["keyed"], "signer")["state"], of(sections["keyed"], "keystore")["state"]) == ("warn", "warn")
    assert (of(sections["keyed"], "password")["state"], result.exit_code) == ("missing", 2)


def test_everything_is_aligned_for_people(project, ship):
    lines = ship("doctor", "-C", str(project)).stdout.splitlines()
    places = {line.index(word) for line in lines for word in ("0.1.0", "embedded:", "counter 1.0.0") if word in line}
    assert len(places) == 1
    assert all(line == line.rstrip() for line in lines)
