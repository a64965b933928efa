"""A reorganization deeper than the finality rule, after a Safe was asked or had agreed: nothing is proposed twice."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.safes import ACCOUNTS
from tests.support.vault import Vault

pytestmark = pytest.mark.e2e

DEPLOYER, SECOND, THIRD, OTHER = ACCOUNTS
EXTRA = """
[contracts.Extra]
source = "src/Registry.sol:Registry"
args = ["${params.owner}"]
"""
CALL = """
[calls.enter]
to = "${contracts.Extra}"
call = "register(bytes32,address)"
args = ["${keccak:EXTRA}", "${params.treasury}"]
authority = "${params.owner}"
"""


class Reorganized:
    """Snapshots as forks: what came after one is gone, as if another branch had won."""

    def __init__(self, system: Vault) -> None:
        self.chain = system.chain
        self.fork = self.chain.ask("evm_snapshot")

    def undo(self) -> None:
        assert self.chain.ask("evm_revert", self.fork)
        self.mine(1)  # another block in the place of those that are gone

    def mine(self, blocks: int) -> None:
        self.chain.ask("anvil_mine", hex(blocks))

    def height(self) -> int:
        return int(self.chain.ask("eth_blockNumber"), 16)


def _asked(vault: Callable[..., Vault], *owners: str) -> tuple[Vault, Reorganized, dict[str, Any]]:
    """A call that only the Safe may make, proposed twenty blocks after the fork."""
    system = vault(*owners, threshold=2)
    ship = system.ship
    text = (ship.root / "ship.toml").read_text() + EXTRA
    (ship.root / "ship.toml").write_text(text)
    ship.deploy()
    (ship.root / "ship.toml").write_text(text + CALL)
    ship.edit("ship.toml", 'version = "1.2.0-rc.1"', 'version = "1.3.0"')
    branch = Reorganized(system)
    branch.mine(20)
    assert ship.deploy(exit_code=3)["error"]["code"] == "SHIP-E33"
    return system, branch, system.proposal()[1]


@pytest.mark.soak
def test_executed_below_the_block_it_was_proposed_at_it_is_seen(vault: Callable[..., Vault]) -> None:
    """The owners execute on the branch that won, at a height the proposal had not been made at yet."""
    system, branch, document = _asked(vault, SECOND, THIRD)
    made_at = branch.height()
    branch.undo()
    system.execute(document, [SECOND, THIRD])
    assert branch.height() < made_at
    branch.mine(40)
    done = system.ship.deploy()
    assert done["sent"] == 0
    assert system.kinds() == ["proposal.made", "proposal.executed"]
    system.ship("record", "verify")


def test_a_proposal_whose_block_is_gone_stays_the_same_proposal(vault: Callable[..., Vault]) -> None:
    system, branch, document = _asked(vault, DEPLOYER, SECOND)
    branch.undo()
    assert system.ship.deploy(exit_code=3)["error"]["code"] == "SHIP-E33"
    branch.mine(40)
    assert system.ship.deploy(exit_code=3)["error"]["code"] == "SHIP-E33"
    assert system.proposal()[1] == document
    system.sign(SECOND)
    assert system.ship.deploy()["sent"] == 1
    assert system.kinds().count("proposal.made") == 1


UPGRADER = '"${deployer}", "${params.owner}"]'


def _scheduling(vault: Callable[..., Vault], *owners: str) -> tuple[Vault, str, Reorganized, dict[str, Any]]:
    """An upgrade through a timelock whose proposer is the Safe: after the proposal the plan waits for two days."""
    system = vault(*owners, threshold=2)
    ship = system.ship
    ship.edit("ship.toml", UPGRADER, '"${deployer}", "${contracts.Timelock}"]')
    proxy = ship.deploy()["units"]["Vault"]["address"]
    system.upgrade('"${contracts.Timelock}"')
    assert ship.deploy(exit_code=3)["error"]["code"] == "SHIP-E33"
    return system, proxy, Reorganized(system), system.proposal()[1]


@pytest.mark.soak
def test_an_execution_by_others_that_is_undone_is_waited_for_again(vault: Callable[..., Vault]) -> None:
    system, proxy, branch, document = _scheduling(vault, SECOND, THIRD)
    system.execute(document, [SECOND, THIRD])
    assert system.ship.deploy(exit_code=3)["error"]["code"] == "SHIP-E24"
    assert system.kinds() == ["proposal.made", "proposal.executed"]
    branch.undo()
    assert system.ship.deploy(exit_code=3)["error"]["code"] == "SHIP-E33"
    assert system.kinds() == ["proposal.made", "proposal.executed", "proposal.reorged"]
    assert system.proposal()[1] == document, "the same hash, not a second proposal"
    system.execute(document, [THIRD, SECOND])
    assert system.ship.deploy(exit_code=3)["error"]["code"] == "SHIP-E24"
    system.chain.later(172_801)
    assert system.ship.deploy()["outcome"] == "done"
    assert system.version(proxy) == "2"


@pytest.mark.soak
def test_an_execution_of_ours_that_is_undone_is_sent_again_with_the_same_bytes(vault: Callable[..., Vault]) -> None:
    system, proxy, branch, _ = _scheduling(vault, DEPLOYER, SECOND)
    system.sign(SECOND)
    assert system.ship.deploy(exit_code=3)["error"]["code"] == "SHIP-E24"
    signed = [row["data"]["hash"] for row in system.ship.journal() if row["kind"] == "tx.signed"]
    branch.undo()
    again = system.ship.deploy(exit_code=3)
    assert again["error"]["code"] == "SHIP-E24", "scheduled once more"
    assert [row["data"]["hash"] for row in system.ship.journal() if row["kind"] == "tx.signed"] == signed
    assert system.kinds().count("proposal.made") == 1
    assert system.kinds().count("proposal.executed") == 2
    system.chain.later(172_801)
    done = system.ship.deploy()
    assert system.version(proxy) == "2"
    record = json.loads((system.ship.root / done["record"]).read_text())
    assert len(record["proposals"]) == 1
    assert len({(t["plan"], t["action"]) for t in record["transactions"]}) == len(record["transactions"])
    system.ship("record", "verify")


@pytest.mark.soak
def test_a_dead_hash_that_comes_to_life_again_and_is_executed_is_seen(vault: Callable[..., Vault]) -> None:
    """Another transaction took the nonce; the reorganization undid it, and the owners execute what they had signed first."""
    system, branch, document = _asked(vault, SECOND, THIRD)
    other = json.loads(json.dumps(document))
    other["ship"]["typedData"]["message"].update(to=THIRD, data="0x")
    system.execute(other, [SECOND, THIRD])
    assert system.ship.deploy(exit_code=3)["error"]["code"] == "SHIP-E33"
    assert system.kinds() == ["proposal.made", "proposal.superseded", "proposal.made"]
    branch.undo()
    system.execute(document, [SECOND, THIRD])
    branch.mine(40)
    done = system.ship.deploy()
    assert done["sent"] == 0
    record = json.loads((system.ship.root / done["record"]).read_text())
    assert record["proposals"][0]["safe_tx_hash"] == document["ship"]["safeTxHash"]
    assert record["proposals"][0]["safe_nonce"] == document["ship"]["nonce"]
