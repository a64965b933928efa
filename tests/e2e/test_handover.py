"""Handover: what the deployer could do, somebody else can, and the deployer cannot any more, in the same release."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from chains.rpc import RpcFault
from tests.support.safes import ACCOUNTS, Chain, call, install, new_safe

Project = Callable[[str], Any]

pytestmark = pytest.mark.e2e

DEPLOYER, SECOND, _, FOURTH = ACCOUNTS
TREASURY = """// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;
import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {Ownable, Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
contract Wallet is Ownable2Step { constructor(address owner_) Ownable(owner_) {} }
contract Desk is AccessControl {
    bytes32 public constant CLERK_ROLE = keccak256("CLERK_ROLE");
    bytes32 public constant CHIEF_ROLE = keccak256("CHIEF_ROLE");
    constructor(address admin) {
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
        _grantRole(CLERK_ROLE, admin);
        _grantRole(CHIEF_ROLE, admin);
        _setRoleAdmin(CLERK_ROLE, CHIEF_ROLE);
    }
}
"""
RULED = """// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;
import {AccessControlDefaultAdminRules} from
    "@openzeppelin/contracts/access/extensions/AccessControlDefaultAdminRules.sol";
contract Court is AccessControlDefaultAdminRules {
    bytes32 public constant JUDGE_ROLE = keccak256("JUDGE_ROLE");
    constructor(uint48 delay, address admin) AccessControlDefaultAdminRules(delay, admin) {
        _grantRole(JUDGE_ROLE, admin);
    }
}
"""
COURT = """
[contracts.Court]
source = "src/Court.sol:Court"
args = [3600, "${deployer}"]

"""
UNITS = """
[contracts.Wallet]
source = "src/Treasury.sol:Wallet"
args = ["${deployer}"]

[contracts.Desk]
source = "src/Treasury.sol:Desk"
args = ["${deployer}"]

"""


def _without(ship: Any, *tables: str) -> None:
    path = ship.root / "ship.toml"
    text = path.read_text()
    for table in tables:
        text, count = re.subn(rf"^\[{re.escape(table)}\]\n(?:(?!\[).*\n)*", "", text, flags=re.MULTILINE)
        assert count == 1, table
    path.write_text(text)


def _hand_over(ship: Any, to: str, units: str = "") -> None:
    """The vault without its hand-written calls, its proxies owned by the deployer at first."""
    _without(ship, "calls.handOverVault", "calls.renounceVault", "calls.handOverRegistry")
    for line in (
        'proxy = "transparent"\nproxy-owner = "${params.owner}"',
        'proxy = "beacon"\nproxy-owner = "${params.owner}"',
    ):
        ship.edit("ship.toml", line, line.partition("\n")[0])
    ship.edit("manifests/local.toml", f'owner = "{DEPLOYER}"', f'owner = "{FOURTH}"')
    path = ship.root / "ship.toml"
    path.write_text(path.read_text() + f'\n[handover]\nto = "{to}"\n' + units)


def _url(ship: Any) -> str:
    return str(ship("localnet", "up").stdout.split()[3])


def test_every_right_of_the_deployer_moves_to_the_timelock_in_the_same_release(project: Project) -> None:
    ship = project("vault")
    _hand_over(ship, "${contracts.Timelock}")
    _without(ship, "checks.proxyAdminOwner", "checks.beaconOwner")
    plan = json.loads(ship("plan", "--chain", "local", "--json").stdout)["body"]
    names = [action["id"] for action in plan["actions"] if ".handover." in action["id"]]
    assert names == [
        "Vault.handover.grant.DEFAULT_ADMIN_ROLE",
        "Vault.handover.renounce.DEFAULT_ADMIN_ROLE",
        "Registry.handover.owner",
        "FeePolicy.handover.admin.owner",
        "Strategy.handover.beacon.owner",
    ]
    document = ship.deploy()
    units = document["units"]
    chain = Chain(_url(ship))
    timelock = units["Timelock"]["address"]
    assert chain.read(units["Registry"]["address"], "owner()")[-20:].hex() == timelock[2:].lower()
    live = plan["units"]
    admin = next(u["after"]["admin"] for u in live if u["name"] == "FeePolicy")
    assert chain.read(admin, "owner()")[-20:].hex() == timelock[2:].lower()
    assert ship.deploy()["sent"] == 0


def test_a_role_the_deployer_cannot_grant_is_not_given_up_to_nobody(project: Project) -> None:
    """The deployer as a timelock's only proposer: without it the timelock would be dead."""
    ship = project("vault")
    _hand_over(ship, "${contracts.Timelock}")
    ship.edit("manifests/local.toml", f'owner = "{FOURTH}"', f'owner = "{DEPLOYER}"')
    refused = ship.deploy(exit_code=2)
    assert refused["error"]["code"] == "SHIP-E35"
    assert "PROPOSER_ROLE in Timelock" in refused["error"]["cause"]
    assert [row["kind"] for row in ship.journal()] == ["open"]


def test_two_step_ownership_is_outstanding_until_the_new_owner_accepts(project: Project) -> None:
    """Roles go grants first, the strongest renounced last; a key that has to accept is waited for, and named."""
    ship = project("vault")
    (ship.root / "src" / "Treasury.sol").write_text(TREASURY)
    _hand_over(ship, SECOND, UNITS)
    _without(
        ship,
        "checks.proxyAdminOwner",
        "checks.beaconOwner",
        "checks.registryOwner",
        "checks.vaultIsGovernedByTheTimelock",
    )
    plan = json.loads(ship("plan", "--chain", "local", "--json").stdout)["body"]
    desk = [action["id"] for action in plan["actions"] if action["id"].startswith("Desk.handover")]
    assert sorted(desk[:3]) == [
        "Desk.handover.grant.CHIEF_ROLE", "Desk.handover.grant.CLERK_ROLE", "Desk.handover.grant.DEFAULT_ADMIN_ROLE"
    ]  # fmt: skip
    assert desk[-1] == "Desk.handover.renounce.DEFAULT_ADMIN_ROLE"
    stopped = ship.deploy(exit_code=3)
    assert stopped["error"]["code"] == "SHIP-V03"
    assert "owner of Wallet" in stopped["error"]["cause"]
    assert SECOND in stopped["error"]["cause"]
    assert not list((ship.root / "releases").glob("*/local.json"))
    chain = Chain(_url(ship))
    chain.send(stopped["units"]["Wallet"]["address"], call("acceptOwnership()"), sender=SECOND)
    done = ship.deploy()
    assert done["sent"] == 0
    assert (ship.root / done["record"]).exists()


@pytest.mark.soak
def test_a_safe_accepts_two_step_ownership_by_a_proposal(project: Project) -> None:
    ship = project("vault")
    chain = Chain(_url(ship))
    install(chain)
    safe = new_safe(chain, [DEPLOYER], 1)
    (ship.root / "src" / "Treasury.sol").write_text(TREASURY)
    _hand_over(ship, safe, UNITS)
    _without(
        ship,
        "checks.proxyAdminOwner",
        "checks.beaconOwner",
        "checks.registryOwner",
        "checks.vaultIsGovernedByTheTimelock",
    )
    wallet = ship.deploy()["units"]["Wallet"]["address"]
    assert chain.read(wallet, "owner()")[-20:].hex() == safe[2:].lower()


def test_a_right_the_deployer_was_given_behind_the_plans_back_stops_the_release_and_is_named(project: Project) -> None:
    ship = project("vault")
    (ship.root / "src" / "Treasury.sol").write_text(TREASURY)
    _hand_over(ship, SECOND, UNITS.replace("[contracts.Wallet]\nsource", "[contracts.Wallet]\nreplace = true\nsource"))
    _without(
        ship,
        "checks.proxyAdminOwner",
        "checks.beaconOwner",
        "checks.registryOwner",
        "checks.vaultIsGovernedByTheTimelock",
    )
    stopped = ship.deploy(exit_code=3)
    chain = Chain(_url(ship))
    units = stopped["units"]
    chain.send(units["Wallet"]["address"], call("acceptOwnership()"), sender=SECOND)
    role = call("CHIEF_ROLE()")
    chief = bytes.fromhex(
        chain.ask("eth_call", {"to": units["Desk"]["address"], "input": "0x" + role.hex()}, "latest")[2:]
    )
    chain.send(units["Desk"]["address"], call("grantRole(bytes32,address)", chief, DEPLOYER), sender=SECOND)
    held = ship.deploy(exit_code=4)
    assert held["error"]["code"] == "SHIP-V04"
    assert "Desk" in held["error"]["cause"]
    assert chief.hex() in held["error"]["cause"]
    assert ship.deploy("--replan")["sent"] == 1  # renounced, and nothing else


@pytest.mark.soak
def test_a_default_admin_with_rules_moves_in_its_two_steps_and_the_delay_is_waited_for(project: Project) -> None:
    """The role of the contract is granted by it meanwhile; only the new admin can finish, and not before an hour."""
    ship = project("vault")
    (ship.root / "src" / "Court.sol").write_text(RULED)
    _hand_over(ship, SECOND, COURT)
    _without(
        ship,
        "checks.proxyAdminOwner",
        "checks.beaconOwner",
        "checks.registryOwner",
        "checks.vaultIsGovernedByTheTimelock",
    )
    plan = json.loads(ship("plan", "--chain", "local", "--json").stdout)["body"]
    court = [action["id"] for action in plan["actions"] if action["id"].startswith("Court.handover")]
    assert court == [
        "Court.handover.grant.JUDGE_ROLE",
        "Court.handover.renounce.JUDGE_ROLE",
        "Court.handover.default-admin",
    ]
    stopped = ship.deploy(exit_code=3)
    assert stopped["error"]["code"] == "SHIP-V03"
    assert "default admin of Court" in stopped["error"]["cause"]
    assert not list((ship.root / "releases").glob("*/local.json"))
    chain = Chain(_url(ship))
    address = stopped["units"]["Court"]["address"]
    accept = "0x" + call("acceptDefaultAdminTransfer()").hex()
    with pytest.raises(RpcFault):
        chain.ask("eth_call", {"from": SECOND, "to": address, "input": accept}, "latest")
    assert ship.deploy(exit_code=3)["sent"] == 0, "begun once, not again"
    chain.later(3601)
    chain.send(address, call("acceptDefaultAdminTransfer()"), sender=SECOND)
    done = ship.deploy()
    assert done["sent"] == 0
    assert chain.read(address, "defaultAdmin()")[-20:].hex() == SECOND[2:].lower()
    assert (ship.root / done["record"]).exists()
