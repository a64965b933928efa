"""Values read from the chain in calls that somebody else makes: what the owners are asked for is what was approved."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from chains.evm.address import keccak256
from chains.rpc import RpcFault
from tests.support.safes import ACCOUNTS, call
from tests.support.vault import OWNER_LINE, Vault

pytestmark = pytest.mark.e2e

DEPLOYER, SECOND, THIRD, OTHER = ACCOUNTS
KEY = keccak256(b"BENEFICIARY")
UNITS = f"""
[contracts.Source]
source = "src/Registry.sol:Registry"
args = ["{OTHER}"]

[contracts.Copy]
source = "src/Registry.sol:Registry"
args = ["%s"]
"""
CALL = """
[calls.take]
to = "${contracts.Copy}"
call = "register(bytes32,address)"
args = ["${keccak:BENEFICIARY}", { read = "get(bytes32)(address)", on = "${contracts.Source}", args = ["${keccak:BENEFICIARY}"] }]
authority = "%s"
"""


class Copying:
    """A registry whose entry is read, and one that whoever governs copies it into."""

    def __init__(self, system: Vault, authority: str) -> None:
        self.system, self.ship = system, system.ship
        path = self.ship.root / "ship.toml"
        text = path.read_text() + UNITS % authority
        path.write_text(text)
        units = self.ship.deploy()["units"]
        self.source, self.copy = units["Source"]["address"], units["Copy"]["address"]
        self.enter(SECOND)
        path.write_text(text + CALL % authority)
        self.ship.edit("ship.toml", 'version = "1.2.0-rc.1"', 'version = "1.3.0"')

    def enter(self, account: str) -> None:
        self.system.chain.send(self.source, call("register(bytes32,address)", KEY, account), sender=OTHER)

    def copied(self) -> str:
        return self.system.chain.read(self.copy, "get(bytes32)", ["bytes32"], [KEY])[-20:].hex()


def test_a_safes_owners_are_asked_for_the_value_that_was_read(vault: Callable[..., Vault]) -> None:
    copying = Copying(vault(DEPLOYER, SECOND, threshold=2), "${params.owner}")
    stopped = copying.ship.deploy(exit_code=3)
    assert stopped["error"]["code"] == "SHIP-E33"
    _, document = copying.system.proposal()
    assert SECOND[2:].lower() in document["transactions"][0]["data"]
    copying.system.sign(SECOND)
    assert copying.ship.deploy()["sent"] == 1
    assert copying.copied() == SECOND[2:].lower()
    assert copying.ship.deploy()["sent"] == 0


def test_a_value_that_changed_after_approval_is_proposed_to_nobody(vault: Callable[..., Vault]) -> None:
    copying = Copying(vault(DEPLOYER, SECOND, threshold=2), "${params.owner}")
    copying.ship("plan", "--chain", "local", "--out", "plan.json")
    copying.enter(THIRD)
    refused = copying.ship.deploy("--plan", "plan.json", exit_code=2)
    assert "stale" in refused["error"]["cause"]
    assert "proposal.made" not in copying.system.kinds()
    assert copying.ship.deploy(exit_code=3)["error"]["code"] == "SHIP-E33"
    assert THIRD[2:].lower() in copying.system.proposal()[1]["transactions"][0]["data"]


def test_a_value_that_changes_while_a_timelock_waits_is_not_executed(vault: Callable[..., Vault]) -> None:
    """Scheduled with the value of then; two days later the chain gives another, and a person decides."""
    system = vault(DEPLOYER, threshold=1)
    system.ship.edit("manifests/local.toml", f'owner = "{system.safe}"', OWNER_LINE)
    copying = Copying(system, "${contracts.Timelock}")
    assert copying.ship.deploy(exit_code=3)["error"]["code"] == "SHIP-E24"
    system.chain.later(172_801)
    copying.enter(THIRD)
    stopped = copying.ship("deploy", "--chain", "local", "--json", exit_code=4)
    error = json.loads(stopped.stdout)["error"]
    assert "get(bytes32)" in error["cause"]
    assert "--replan" in error["remedy"]
    with pytest.raises(RpcFault, match="reverted"):
        copying.copied()
    copying.enter(SECOND)
    assert copying.ship.deploy()["sent"] == 1
    assert copying.copied() == SECOND[2:].lower()
