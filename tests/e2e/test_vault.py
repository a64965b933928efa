"""The main job: a real system on OpenZeppelin to a verified, recorded deployment; again: nothing; upgraded: only that."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from web3 import Web3

Project = Callable[[str], Any]

pytestmark = pytest.mark.e2e

UPGRADE = """source = "src/VaultV2.sol:VaultV2"
upgrade = { call = "initializeV2(address)", args = ["${params.owner}"] }"""
ERC1967_IMPLEMENTATION = 0x360894A13BA1A3210667C828492DB98DCA3E2076CC3735A920A3CA505D382BBC


def _upgrade(ship: Any) -> None:
    ship.edit("ship.toml", 'source = "src/Vault.sol:Vault"', UPGRADE)
    ship.edit("ship.toml", 'version = "1.2.0-rc.1"', 'version = "1.3.0"')
    ship.edit("ship.toml", 'call = "version()(string)"\nequals = "1"', 'call = "version()(string)"\nequals = "2"')


def _web3(ship: Any) -> Web3:
    url = ship("localnet", "up").stdout.split()[3]
    return Web3(Web3.HTTPProvider(url))


def test_a_release_deploys_proves_checks_and_records(project: Project) -> None:
    ship = project("vault")
    document = ship.deploy()
    assert document["outcome"] == "done"
    assert document["sent"] == 19
    assert document["error"] is None
    units = document["units"]
    assert {name for name, unit in units.items() if unit["state"] == "proven"} == {
        "Registry", "AcmeToken", "Timelock", "FeeMath", "FeePolicy", "Vault", "Strategy", "Keeper"
    }  # fmt: skip
    record = json.loads((ship.root / document["record"]).read_text())
    assert record["plan"] == document["plan"]
    assert record["bundle"] == document["bundle"]
    assert [check["passed"] for check in record["checks"]] == [True] * len(record["checks"])
    assert {gate["name"]: gate["status"] for gate in record["gates"]} == {"tests": "passed", "slither": "passed"}

    chain = _web3(ship)  # a client that shares no code with ship
    for unit in units.values():
        receipt = chain.eth.get_transaction_receipt(unit["transaction"])
        assert receipt["status"] == 1
        if unit["address"]:
            assert chain.eth.get_code(Web3.to_checksum_address(unit["address"]))
    slot = chain.eth.get_storage_at(Web3.to_checksum_address(units["Vault"]["address"]), ERC1967_IMPLEMENTATION)
    assert Web3.to_checksum_address(slot[-20:]) == record["units"]["Vault"]["implementation"]


def test_the_same_command_again_sends_nothing(project: Project) -> None:
    ship = project("vault")
    first = ship.deploy()
    rows = len(ship.journal())
    again = ship.deploy()
    assert again["sent"] == 0
    assert again["outcome"] == "done"
    assert again["record"] == first["record"]
    assert {unit["state"] for unit in again["units"].values()} == {"unchanged"}
    assert len(ship.journal()) == rows


def test_a_changed_implementation_plans_only_the_upgrade(project: Project) -> None:
    ship = project("vault")
    ship.deploy()
    _upgrade(ship)
    plan = json.loads(ship("plan", "--chain", "local", "--json").stdout)
    assert [action["id"] for action in plan["body"]["actions"]] == ["Vault.implementation", "Vault.upgrade"]
    document = ship.deploy()
    assert document["sent"] == 2
    assert ship.deploy()["sent"] == 0
    record = json.loads((ship.root / document["record"]).read_text())
    assert record["units"]["Vault"]["change"] == "upgrade"
    assert record["units"]["Registry"]["change"] == "unchanged"


def test_a_changed_contract_without_a_proxy_is_refused_unless_replacing_is_asked_for(project: Project) -> None:
    ship = project("counter")
    first = ship.deploy()
    ship.edit("src/Registry.sol", "not the owner", "only the owner")
    refused = ship.deploy(exit_code=2)
    assert refused["error"]["code"] == "SHIP-E06"
    assert refused["sent"] == 0
    ship.edit("ship.toml", 'args = ["${deployer}"]\n', 'args = ["${deployer}"]\nreplace = true\n')
    replaced = ship.deploy()
    assert replaced["sent"] == 2  # the new registry, and the entry it lacks
    assert replaced["units"]["Registry"]["address"] != first["units"]["Registry"]["address"]
    assert replaced["units"]["Counter"]["state"] == "unchanged"


def test_a_saved_plan_is_what_is_deployed_and_a_stale_one_is_refused(project: Project) -> None:
    ship = project("vault")
    ship("plan", "--chain", "local", "--out", "first.plan.json")
    plan = json.loads((ship.root / "first.plan.json").read_text())
    document = ship.deploy("--plan", "first.plan.json")
    assert document["sent"] == len(plan["body"]["actions"])
    _upgrade(ship)
    stale = ship.deploy("--plan", "first.plan.json", exit_code=2)
    assert stale["error"]["code"] == "SHIP-P02"


def test_a_failing_check_stops_before_anything_is_signed(project: Project) -> None:
    ship = project("vault")
    ship.edit("ship.toml", 'call = "version()(string)"\nequals = "1"', 'call = "version()(string)"\nequals = "7"')
    refused = ship.deploy(exit_code=2)
    assert refused["error"]["code"] == "SHIP-E11"
    assert "gives 1, expected 7" in refused["error"]["cause"]
    assert [row["kind"] for row in ship.journal()] == ["open"]


def test_a_revert_is_shown_with_its_reason_before_anything_is_signed(project: Project) -> None:
    ship = project("vault")
    ship.edit("ship.toml", 'args = ["${contracts.Timelock}", 30]', 'args = ["${contracts.Timelock}", 30000]')
    refused = ship.deploy(exit_code=2)
    assert refused["error"]["code"] == "SHIP-E10"
    assert "FeePolicy" in refused["error"]["cause"]
    assert "reverted" in refused["error"]["cause"]
