"""Upgrades of the example vault that somebody else has to agree to: a Safe's owners, a timelock, or both."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.safes import ACCOUNTS
from tests.support.vault import Vault

Project = Callable[[str], Any]

pytestmark = pytest.mark.e2e

DEPLOYER, SECOND, THIRD, OTHER = ACCOUNTS

FEE_POLICY_V2 = """// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;
import {FeePolicy} from "./FeePolicy.sol";
contract FeePolicyV2 is FeePolicy {
    function version() external pure returns (string memory) { return "2"; }
}
"""


def test_a_two_of_two_safe_upgrades_the_vault_once_both_owners_have_signed(vault: Callable[..., Vault]) -> None:
    system = vault(DEPLOYER, SECOND, threshold=2)
    ship = system.ship
    proxy = ship.deploy()["units"]["Vault"]["address"]
    system.upgrade('"${params.owner}"')

    stopped = ship.deploy(exit_code=3)
    assert stopped["error"]["code"] == "SHIP-E33"
    assert "1 of 2 signatures" in stopped["error"]["cause"]
    assert stopped["units"]["Vault"]["state"] == "proposed"
    assert system.version(proxy) == "1"
    sent = stopped["sent"]
    assert sent == 1  # the implementation; the upgrade is the Safe's

    path, document = system.proposal()
    assert document["chainId"] == "31337"
    assert document["meta"]["createdFromSafeAddress"] == system.safe
    assert [t["to"] for t in document["transactions"]] == [proxy]
    assert document["ship"]["safeTxHash"] == path.stem
    assert [s["owner"] for s in document["ship"]["signatures"]] == [DEPLOYER]

    again = ship.deploy(exit_code=3)
    assert again["sent"] == 0
    assert system.kinds() == ["proposal.made", "proposal.signed"]

    system.sign(SECOND)
    done = ship.deploy()
    assert done["sent"] == 1  # execTransaction, by us
    assert system.version(proxy) == "2"
    assert system.kinds() == [
        "proposal.made", "proposal.signed", "proposal.signed", "proposal.executing", "proposal.executed"
    ]  # fmt: skip
    record = json.loads((ship.root / done["record"]).read_text())
    assert record["proposals"][0]["safe_tx_hash"] == path.stem
    assert record["proposals"][0]["signed_by"] == sorted([DEPLOYER, SECOND])
    assert record["units"]["Vault"]["change"] == "upgrade"
    assert ship.deploy()["sent"] == 0
    ship("record", "verify")


def test_two_upgrades_are_one_batch_that_others_may_execute(vault: Callable[..., Vault]) -> None:
    """The deployer is no owner; the fee policy's proxy admin is found to be the Safe's without being told."""
    system = vault(SECOND, THIRD, threshold=2)
    ship = system.ship
    units = ship.deploy()["units"]
    system.upgrade('"${params.owner}"')
    (ship.root / "src" / "FeePolicyV2.sol").write_text(FEE_POLICY_V2)
    ship.edit("ship.toml", "src/FeePolicy.sol:FeePolicy", "src/FeePolicyV2.sol:FeePolicyV2")
    stopped = ship.deploy(exit_code=3)
    assert "0 of 2 signatures" in stopped["error"]["cause"]
    _, document = system.proposal()
    assert document["ship"]["operation"] == 1  # DELEGATECALL to MultiSendCallOnly
    assert len(document["transactions"]) == 2
    system.execute(document, [SECOND, THIRD])
    done = ship.deploy()
    assert done["sent"] == 0
    assert system.version(units["Vault"]["address"]) == "2"
    assert system.version(units["FeePolicy"]["address"]) == "2"
    record = json.loads((ship.root / done["record"]).read_text())
    assert record["proposals"][0]["executed_by"] == "others"
    assert record["units"]["Vault"]["transactions"][-1] == record["proposals"][0]["hash"]
    assert ship.deploy()["sent"] == 0
    ship("record", "verify")
    ship("verify", "--chain", "local")


def test_a_nonce_taken_by_another_transaction_makes_the_signatures_dead_and_the_hash_new(
    vault: Callable[..., Vault],
) -> None:
    system = vault(DEPLOYER, SECOND, threshold=2)
    ship = system.ship
    proxy = ship.deploy()["units"]["Vault"]["address"]
    system.upgrade('"${params.owner}"')
    ship.deploy(exit_code=3)
    path, document = system.proposal()
    system.sign(SECOND)
    # The owners do something else first: it takes the nonce the proposal was signed with.
    other = json.loads(json.dumps(document))
    other["ship"]["typedData"]["message"].update(to=THIRD, data="0x")
    system.execute(other, [DEPLOYER, SECOND])

    stopped = ship.deploy(exit_code=3)
    assert "1 of 2 signatures" in stopped["error"]["cause"]
    (dead,) = [row["data"] for row in ship.journal() if row["kind"] == "proposal.superseded"]
    assert dead["safe_tx_hash"] == path.stem
    assert {s["owner"] for s in dead["signatures"]} == {DEPLOYER, SECOND}
    new_path, new = system.proposal()
    assert new_path != path
    assert new["ship"]["nonce"] == document["ship"]["nonce"] + 1
    refused = ship("proposals", "import", f"signed-by-{SECOND}.json", "--chain", "local", exit_code=2)
    assert "dead" in refused.stderr
    system.sign(SECOND)
    assert ship.deploy()["sent"] == 1
    assert system.version(proxy) == "2"


def test_a_signature_by_anybody_but_an_owner_is_refused(vault: Callable[..., Vault]) -> None:
    system = vault(DEPLOYER, SECOND, threshold=2)
    system.ship.deploy()
    system.upgrade('"${params.owner}"')
    system.ship.deploy(exit_code=3)
    with pytest.raises(AssertionError, match="no owner of"):
        system.sign(THIRD)
    assert system.kinds() == ["proposal.made", "proposal.signed"]


def test_a_safe_the_deployer_has_alone_needs_no_proposal(vault: Callable[..., Vault]) -> None:
    system = vault(DEPLOYER, threshold=1)
    proxy = system.ship.deploy()["units"]["Vault"]["address"]
    system.upgrade('"${params.owner}"')
    assert system.ship.deploy()["sent"] == 2
    assert system.version(proxy) == "2"
    assert system.kinds() == []


UPGRADER = '"${deployer}", "${params.owner}"]'


def test_a_timelock_upgrade_is_scheduled_waits_and_is_executed(vault: Callable[..., Vault]) -> None:
    """The deployer proposes to the timelock; two days pass on the chain's own clock."""
    system = vault(DEPLOYER, threshold=1)
    ship = system.ship
    ship.edit("ship.toml", UPGRADER, '"${deployer}", "${contracts.Timelock}"]')
    ship.edit("manifests/local.toml", f'owner = "{system.safe}"', f'owner = "{DEPLOYER}"')
    proxy = ship.deploy()["units"]["Vault"]["address"]
    system.upgrade('"${contracts.Timelock}"')
    stopped = ship.deploy(exit_code=3)
    assert stopped["error"]["code"] == "SHIP-E24"
    assert stopped["sent"] == 2  # the implementation, and schedule
    assert ship.deploy(exit_code=3)["sent"] == 0
    system.chain.later(172_800 - 100)
    assert ship.deploy(exit_code=3)["sent"] == 0
    system.chain.later(200)
    assert ship.deploy()["sent"] == 1
    assert system.version(proxy) == "2"
    assert ship.deploy()["sent"] == 0


def test_a_timelock_whose_proposer_is_a_safe_is_scheduled_through_it(vault: Callable[..., Vault]) -> None:
    """Nothing but `authority = "${contracts.Timelock}"` is said: who may propose is read from the chain."""
    system = vault(DEPLOYER, SECOND, threshold=2)
    ship = system.ship
    ship.edit("ship.toml", UPGRADER, '"${deployer}", "${contracts.Timelock}"]')
    proxy = ship.deploy()["units"]["Vault"]["address"]
    system.upgrade('"${contracts.Timelock}"')
    assert ship.deploy(exit_code=3)["error"]["code"] == "SHIP-E33"
    _, document = system.proposal()
    assert "schedule" in document["meta"]["description"]
    system.sign(SECOND)
    scheduled = ship.deploy(exit_code=3)
    assert scheduled["error"]["code"] == "SHIP-E24"
    assert scheduled["sent"] == 1
    system.chain.later(172_801)
    assert ship.deploy()["sent"] == 1
    assert system.version(proxy) == "2"
