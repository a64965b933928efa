"""``ship status``: what is live where, what differs, what drifted. It never compiles and never opens a key."""

from __future__ import annotations

import json

import pytest


def status(release, *arguments):
    result = release.ship("status", "--json", *arguments)
    document = json.loads(result.stdout)
    return document["targets"][0], result.exit_code


def units(target):
    return {unit["name"]: unit for unit in target["units"]}


def test_a_released_project_is_live_and_the_same(released):
    target, code = status(released)
    found = units(target)
    assert code == 0
    assert target["drift"] == []
    assert target["bundle"] is not None
    assert {unit["comparison"] for unit in found.values()} == {"same"}
    assert {unit["version"] for unit in found.values()} == {"1.0.0"}
    assert found["Counter"]["record"] == "releases/v1.0.0/local.json"
    assert found["Counter"]["implementation"] not in {None, found["Counter"]["address"]}


def test_nothing_is_compiled_for_it(copy):
    """A copy lies elsewhere, and what was built there is not known here."""
    target, code = status(copy)
    assert code == 0
    assert target["not_compared"] == "these sources are not built: run `ship build`"
    assert {unit["comparison"] for unit in target["units"]} == {"not compared"}
    assert all(unit["version"] == "1.0.0" for unit in target["units"])


def test_what_changed_what_is_new_and_what_was_dropped(copy):
    copy.edit("src/Counter.sol", "count += 1", "count += 2")
    copy.edit(
        "ship.toml",
        "[contracts.Counter]",
        '[contracts.Other]\nsource = "src/Registry.sol:Registry"\nargs = ["${deployer}"]\n\n[contracts.Counter]',
    )
    copy.edit("ship.toml", "[calls.register]", "[calls.enter]")
    copy.edit("ship.toml", "keccak:COUNTER", "keccak:OTHER")
    assert copy.ship("build").exit_code == 0
    target, code = status(copy)
    assert code == 0
    assert {name: unit["comparison"] for name, unit in units(target).items()} == {
        "Registry": "same",
        "Other": "not deployed",
        "Counter": "differs",
        "enter": "not done",
        "register": "not in project",
    }
    assert units(target)["Counter"]["note"] == "upgrade pending"


def test_a_changed_contract_that_cannot_be_upgraded_is_a_difference_not_a_refusal(copy):
    copy.edit("src/Registry.sol", "not the owner", "not the owner of it")
    assert copy.ship("build").exit_code == 0
    target, code = status(copy)
    assert code == 0
    assert units(target)["Registry"]["comparison"] == "differs"


@pytest.fixture
def running(copy):
    """The released project with its chain kept running, and a way to change the chain behind ship's back."""
    assert copy.ship("localnet", "up").exit_code == 0

    def rpc(method, *params):
        log = (copy.root / ".ship/localnet/local/anvil.log").read_text()
        url = "http://" + log.split("Listening on ")[1].split()[0]
        from chains.rpc import Endpoint

        return Endpoint(url).batch([(method, list(params))])[0]

    yield copy, rpc
    copy.ship("localnet", "down")


def test_an_implementation_changed_behind_ships_back_is_drift(running):
    release, rpc = running
    counter = units(status(release)[0])["Counter"]
    slot = "0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc"
    rpc("anvil_setStorageAt", counter["address"], slot, "0x" + "11".rjust(64, "0"))
    target, code = status(release)
    assert code == 4
    assert [(d["unit"], d["what"]) for d in target["drift"]] == [("Counter", "implementation slot")]


def test_code_that_is_gone_or_other_code_is_drift(running):
    release, rpc = running
    found = units(status(release)[0])
    rpc("anvil_setCode", found["Registry"]["address"], "0x")
    rpc("anvil_setCode", found["Counter"]["implementation"], "0x6001")
    target, code = status(release)
    assert code == 4
    assert [(d["unit"], d["what"], d["found"] is None) for d in target["drift"]] == [
        ("Registry", "code", True),
        ("Counter", "implementation code", False),
    ]
    assert "drift" in release.ship("status").stdout


def test_no_key_is_needed(copy, keystore):
    """A target whose keystore's password nobody gives, or whose keystore is not even here."""
    manifest = copy.root / "manifests/local.toml"
    manifest.write_text(manifest.read_text() + f'\n[signer]\nbackend = "keystore"\nfile = "{keystore[0].name}"\n')
    assert status(copy)[1] == 0
    (copy.root / keystore[0].name).write_bytes(keystore[0].read_bytes())
    assert status(copy)[1] == 0


def test_before_the_first_deployment(tmp_path, ship):
    (tmp_path / "ship.toml").write_text('schema = 1\n[project]\nname = "new"\nversion = "0.1.0"\n')
    result = ship("status", "-C", str(tmp_path))
    assert result.exit_code == 0
    assert "not deployed anywhere yet" in result.stdout
