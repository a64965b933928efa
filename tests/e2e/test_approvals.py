"""Releases that named people have to agree to, and a policy that holds over several runs."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from eth_keyfile import create_keyfile_json

from chains.rpc import Endpoint
from tests.support.schemas import hold

Project = Callable[[str], Any]

pytestmark = pytest.mark.e2e

PASSWORD = "canary-approver-password"
KEYS = {name: bytes([number]) * 32 for number, name in enumerate(("alice", "bob", "carol", "mallory"), start=1)}
FUNDED = bytes.fromhex("59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d")
"""The second development account's key, public knowledge."""


def keyfile(path: Path, key: bytes, iterations: int = 1_000) -> str:
    path.parent.mkdir(exist_ok=True)
    made = create_keyfile_json(key, PASSWORD.encode(), kdf="pbkdf2", iterations=iterations)
    path.write_text(json.dumps(made))
    return str(Account.from_key(key).address)


@dataclass
class Company:
    """The example vault, released to the local chain with two of three approvals."""

    ship: Any

    def __post_init__(self) -> None:
        root = self.ship.root
        addresses = {name: keyfile(root / f"keys/{name}.json", key) for name, key in KEYS.items()}
        (root / "keys/password").write_text(PASSWORD + "\n")
        (root / "keys/password").chmod(0o600)
        for name in KEYS:
            table = f'[signer]\nbackend = "keystore"\nfile = "keys/{name}.json"\npassword = "file:keys/password"\n'
            (root / f"{name}.toml").write_text(table)
        listed = ", ".join(f'{n} = "{a}"' for n, a in addresses.items() if n != "mallory")
        self.policy(f"approvals = 2\napprovers = {{ {listed} }}")

    def policy(self, text: str) -> None:
        target = self.ship.root / "manifests/local.toml"
        target.write_text(f"{target.read_text()}\n[policy]\n{text}\n")

    def plan(self) -> dict[str, Any]:
        self.ship("plan", "--chain", "local", "--out", "plan.json")
        return dict(json.loads((self.ship.root / "plan.json").read_text()))

    def approve(self, name: str, *arguments: str, exit_code: int = 0) -> Any:
        return self.ship("approve", "plan.json", "--signer", f"{name}.toml", *arguments, exit_code=exit_code)

    def approvals(self) -> dict[str, Any]:
        return dict(json.loads((self.ship.root / "plan.approvals.json").read_text()))

    @staticmethod
    def later(chain: Endpoint) -> None:
        """Two hours later, by the chain's clock."""
        chain.batch([("evm_increaseTime", [7_200]), ("anvil_mine", ["0x1"])])

    def refused(self, document: dict[str, Any]) -> str:
        """What a deployment with these approvals is refused with, having signed nothing."""
        (self.ship.root / "other.json").write_text(json.dumps(document))
        error = self.ship.deploy("--plan", "plan.json", "--approvals", "other.json", exit_code=2)["error"]
        assert error["code"] == "SHIP-A03"
        assert {row["kind"] for row in self.ship.journal()} == {"open"}
        return str(error["cause"])


@pytest.fixture
def company(project: Project) -> Company:
    return Company(project("vault"))


def test_two_of_three_approvals_release_the_vault_and_stand_in_journal_and_record(company: Company) -> None:
    ship = company.ship
    company.plan()
    assert ship.deploy("--plan", "plan.json", "--yes", exit_code=2)["error"]["code"] == "SHIP-A03"
    approved = company.approve("alice")
    shown = approved.stdout
    assert PASSWORD not in shown + approved.stderr
    assert "read again from the unsigned bytes alone" in shown
    assert "initialize(address,address,address,address,address)" in shown
    one = ship.deploy("--plan", "plan.json", "--yes", exit_code=2)
    assert "asks for 2 of 3 approvals of exactly this plan, 1 counts" in one["error"]["cause"]
    company.approve("alice")  # a second time by the same person is still one
    assert len(company.approvals()["approvals"]) == 1
    hold(json.loads(company.approve("carol", "--as", "carol", "--json").stdout))

    done = ship.deploy("--plan", "plan.json")
    assert done["outcome"] == "done"
    assert done["sent"] == 19
    rows = ship.journal()
    accepted = next(row for row in rows if row["kind"] == "plan.accepted")["data"]
    assert accepted["approved_by"] == "alice, carol"
    assert accepted["approvals"] == company.approvals()["approvals"]
    record = json.loads((ship.root / done["record"]).read_text())
    assert record["approvals"] == accepted["approvals"]
    ship("record", "verify")

    kinds = [(row["kind"], row["data"].get("action")) for row in rows]
    for place, (kind, action) in enumerate(kinds):
        if kind == "tx.signed":
            assert ("policy.decision", action) in kinds[:place]
    decisions = [row["data"] for row in rows if row["kind"] == "policy.decision"]
    assert {d["verdict"] for d in decisions} == {"allowed"}
    assert len(decisions) == 19
    text = (ship.root / "deployments/local/journal.jsonl").read_text() + json.dumps(record)
    assert PASSWORD not in text


def test_approvals_that_were_tampered_with_count_for_nothing(company: Company) -> None:
    company.plan()
    company.approve("alice")
    company.approve("bob")
    good = company.approvals()
    alice, bob = good["approvals"]

    flipped = bob["signature"][:20] + ("0" if bob["signature"][20] != "0" else "1") + bob["signature"][21:]
    cause = company.refused({**good, "approvals": [alice, {**bob, "signature": flipped}]})
    assert "1 counts" in cause
    assert "bob: " in cause
    assert "second by the same approver" in company.refused({**good, "approvals": [alice, alice]})
    renamed = {**alice, "approver": "bob", "address": bob["address"]}
    assert "bob: it was signed by" in company.refused({**good, "approvals": [alice, renamed]})
    later = {**bob, "message": {**bob["message"], "expires": bob["message"]["expires"] + 60}}
    assert "bob: it was signed by" in company.refused({**good, "approvals": [alice, later]})
    other = {**bob, "message": {**bob["message"], "plan": "0x" + "11" * 32}}
    assert "bob: it is of another plan (its plan differs)" in company.refused({**good, "approvals": [alice, other]})
    assert "0 count" in company.refused({**good, "approvals": []})
    assert company.ship.deploy("--plan", "plan.json")["outcome"] == "done"


def test_nobody_else_may_approve_and_not_the_key_that_signs(company: Company) -> None:
    company.plan()
    ship = company.ship
    assert "SHIP-A05" in company.approve("mallory", exit_code=2).stderr
    assert "SHIP-A05" in company.approve("alice", "--as", "bob", exit_code=2).stderr
    assert "SHIP-A05" in ship("approve", "plan.json", exit_code=2).stderr  # the target's own key is not listed
    assert not (ship.root / "plan.approvals.json").exists()


def test_plans_and_approvals_end_with_their_time_and_approvals_are_of_one_plan_only(company: Company) -> None:
    ship = company.ship
    ship.edit("manifests/local.toml", "approvals = 2", 'approvals = 2\nplan-valid-for = "1h"')
    chain = Endpoint(ship("localnet", "up").stdout.split()[3])
    company.plan()
    company.approve("alice")
    company.approve("bob")
    first = company.approvals()
    company.later(chain)
    assert ship.deploy("--plan", "plan.json", exit_code=2)["error"]["code"] == "SHIP-A04"

    company.plan()
    assert "SHIP-A06" in company.approve("alice", exit_code=2).stderr  # the file holds approvals of the first
    assert "it is of another plan" in company.refused(first)
    (ship.root / "plan.approvals.json").unlink()
    company.approve("alice")  # by this machine's clock for an hour; by the chain's that hour is over
    company.approve("bob")
    assert "alice: it has expired" in company.refused(company.approvals())


def test_a_run_killed_between_approval_and_deployment_is_taken_up_with_the_same_approvals(company: Company) -> None:
    ship = company.ship
    keyfile(ship.root / "keys/deployer.json", FUNDED, iterations=3_000_000)  # opening it takes a moment: the kill's
    target = ship.root / "manifests/local.toml"
    signer = '[signer]\nbackend = "keystore"\nfile = "keys/deployer.json"\npassword = "file:keys/password"\n'
    target.write_text(f"{target.read_text()}\n{signer}")
    ship("localnet", "up")
    company.plan()
    company.approve("alice")
    company.approve("bob")

    process = ship.start("deploy", "--chain", "local", "--plan", "plan.json", "--json")
    journal = ship.root / "deployments/local/journal.jsonl"
    deadline_s = time.monotonic() + 60
    while not (journal.exists() and b'"plan.accepted"' in journal.read_bytes()):
        assert process.poll() is None
        assert time.monotonic() < deadline_s
        time.sleep(0.001)
    process.kill()
    process.communicate()
    assert [row["kind"] for row in ship.journal()] == ["open", "plan.accepted"]

    done = ship.deploy("--plan", "plan.json")
    assert done["outcome"] == "done"
    assert done["sent"] == 19
    kinds = [row["kind"] for row in ship.journal()]
    assert kinds.count("plan.accepted") == 2
    assert kinds.count("tx.signed") == 19


def test_a_target_that_requires_hardware_refuses_a_key_in_software(project: Project) -> None:
    company = Company(project("counter"))
    company.ship.edit("manifests/local.toml", "approvals = 2", 'require = "hardware"\napprovals = 0')
    error = company.ship.deploy(exit_code=2)["error"]
    assert error["code"] == "SHIP-S01"
    assert "keeps its key in software, local requires hardware" in error["cause"]


def test_a_daily_cap_holds_over_two_runs(project: Project) -> None:
    company = Company(project("vault"))
    ship = company.ship
    ship.edit("manifests/local.toml", "approvals = 2", 'max-cost-per-day = "1 ether"\napprovals = 0')
    first = ship.deploy()
    cost_wei = int(json.loads((ship.root / first["record"]).read_text())["cost"]["wei"])
    ship.edit("ship.toml", 'source = "src/Vault.sol:Vault"', 'source = "src/VaultV2.sol:VaultV2"')
    ship.edit("ship.toml", 'version = "1.2.0-rc.1"', 'version = "1.3.0"')
    ship.edit("ship.toml", 'call = "version()(string)"\nequals = "1"', 'call = "version()(string)"\nequals = "2"')
    ship.edit("manifests/local.toml", '"1 ether"', f"{cost_wei + 10**12}")
    refused = ship.deploy(exit_code=2)
    assert refused["sent"] == 0
    assert refused["error"]["code"] == "SHIP-S01"
    assert "refused by the rule max-cost-per-day" in refused["error"]["cause"]
    last = ship.journal()[-1]
    assert (last["kind"], last["data"]["verdict"], last["data"]["rule"]) == (
        "policy.decision", "refused", "max-cost-per-day"
    )  # fmt: skip
    ship.edit("manifests/local.toml", f"{cost_wei + 10**12}", '"1 ether"')
    assert ship.deploy()["sent"] == 2
