"""kill -9 at random moments, each time the same command again: every contract once, nothing lost (oracles O1–O7)."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from web3 import Web3

from chains.evm.address import create_address

pytestmark = pytest.mark.e2e

KILLS = 10
LONGEST_S = 60.0


def _kill_at_a_random_moment(ship: Any, choice: random.Random) -> None:
    """Start a deployment and kill it after a random number of journal rows were written, or a random time before."""
    process = ship.start("deploy", "--chain", "local", "--json")
    journal = ship.root / "deployments/local/journal.jsonl"
    rows = journal.read_bytes().count(b"\n") if journal.exists() else 0
    wanted = rows + choice.randint(0, 9)
    deadline_s = time.monotonic() + LONGEST_S
    while process.poll() is None and time.monotonic() < deadline_s:
        if journal.exists() and journal.read_bytes().count(b"\n") >= wanted:
            break
        time.sleep(0.001)
    process.kill()
    process.communicate()


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.soak)])
def test_ten_kills_leave_every_contract_once(project: Callable[[str], Any], seed: int) -> None:
    ship = project("vault")
    ship("localnet", "up")
    choice = random.Random(seed)
    for _ in range(KILLS):
        _kill_at_a_random_moment(ship, choice)
    document = ship.deploy()
    assert document["outcome"] == "done"
    assert ship.deploy()["sent"] == 0  # O7

    rows = ship.journal()
    plans = {row["data"]["plan"] for row in rows if row["kind"] == "plan.finished"}
    assert len(plans) == 1
    final = [row["data"]["action"] for row in rows if row["kind"] == "tx.final"]
    assert Counter(final).most_common(1)[0][1] == 1
    assert len(final) == 19

    chain = Web3(Web3.HTTPProvider(ship("localnet", "up").stdout.split()[3]))
    deployer = next(row["data"]["sender"] for row in rows if row["kind"] == "tx.reserved")
    nonce = chain.eth.get_transaction_count(Web3.to_checksum_address(deployer))
    assert nonce == 19  # O1: as many nonces as steps
    on_chain = [
        transaction.hex()
        for number in range(1, chain.eth.block_number + 1)
        for transaction in chain.eth.get_block(number)["transactions"]
    ]
    signed = {row["data"]["hash"].removeprefix("0x") for row in rows if row["kind"] == "tx.signed"}
    assert {hash_.removeprefix("0x") for hash_ in on_chain} <= signed  # O2: nothing reached the chain unrecorded
    created = [create_address(deployer, n) for n in range(nonce)]
    assert sum(bool(chain.eth.get_code(Web3.to_checksum_address(a))) for a in created) == 11  # O3, with one by CREATE2
