"""Rotation: the new key can do what the old one could, the old one can do nothing, and the way back is on disk before."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.anvil import DEPLOYER
from tests.support.keyfiles import keyfile, password_file
from tests.support.safes import ACCOUNTS, Chain
from tests.support.schemas import hold

Project = Callable[[str], Any]

pytestmark = pytest.mark.e2e

SECOND, FOURTH = ACCOUNTS[1], ACCOUNTS[3]
SECOND_KEY = bytes.fromhex("59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d")
CHECKS = (
    "vaultIsGovernedByTheTimelock",
    "vaultIsNotGovernedByTheDeployer",
    "registryOwner",
    "proxyAdminOwner",
    "beaconOwner",
)


def _governed_by_its_key(ship: Any) -> None:
    """The vault without its timelock in charge: the deployer keeps every right, so that there is something to rotate."""
    path = ship.root / "ship.toml"
    kept, skipping = [], False
    for line in path.read_text().splitlines(keepends=True):
        if line.startswith("["):
            name = line.strip().strip("[]")
            skipping = name in {"calls.handOverVault", "calls.renounceVault", "calls.handOverRegistry"} or name in {
                f"checks.{check}" for check in CHECKS
            }
        if not skipping:
            kept.append(line)
    path.write_text("".join(kept))
    ship.edit("ship.toml", '["${params.owner}"],                               # proposes', f'["{FOURTH}"], #')


def _sign_with(ship: Any, folder: Path, key: bytes, address: str) -> None:
    path = ship.root / "manifests/local.toml"
    before = path.read_text().partition("\n[signer]")[0]
    file = keyfile(ship.root, key, f"{address}.json")
    path.write_text(
        f'{before}\n[signer]\nbackend = "keystore"\nfile = "{file.name}"\npassword = "file:{password_file(folder)}"\n'
        f'address = "{address}"\n'
    )


def _upgrade(ship: Any) -> None:
    upgraded = (
        'source = "src/VaultV2.sol:VaultV2"\nupgrade = { call = "initializeV2(address)", args = ["${params.owner}"] }'
    )
    ship.edit("ship.toml", 'source = "src/Vault.sol:Vault"', upgraded)
    ship.edit("ship.toml", 'version = "1.2.0-rc.1"', 'version = "1.3.0"')
    ship.edit("ship.toml", 'call = "version()(string)"\nequals = "1"', 'call = "version()(string)"\nequals = "2"')


def test_after_a_rotation_the_new_key_upgrades_and_the_old_one_cannot(project: Project, tmp_path: Path) -> None:
    ship = project("vault")
    url = ship("localnet", "up").stdout.split()[3]
    _governed_by_its_key(ship)
    units = ship.deploy()["units"]

    # Killed once in the middle, then finished by the same command without --to.
    process = ship.start("signer", "rotate", "--chain", "local", "--to", SECOND)
    journal = ship.root / "deployments/local/journal.jsonl"
    before, deadline_s = journal.read_text().count('"tx.signed"'), time.monotonic() + 120
    while process.poll() is None and time.monotonic() < deadline_s:
        if journal.read_text().count('"tx.signed"') > before + 2:
            break
        time.sleep(0.001)
    process.kill()
    process.communicate()
    if any(row["kind"] == "plan.finished" for row in ship.journal()[-1:]):
        pytest.fail("the rotation was over before it was killed: nothing was shown")
    assert ship.deploy(exit_code=2)["error"]["code"] == "SHIP-Z02"
    done = json.loads(ship("signer", "rotate", "--chain", "local", "--json").stdout)
    hold(done)
    assert (done["from"], done["to"]) == (DEPLOYER, SECOND)

    chain = Chain(url)
    assert chain.read(units["Registry"]["address"], "owner()")[-20:].hex() == SECOND[2:].lower()
    record = json.loads((ship.root / done["record"]).read_text())
    assert {moved["action"] for moved in record["moved"]} >= {
        "Registry.handover.owner", "FeePolicy.handover.admin.owner", "Strategy.handover.beacon.owner",
        "Vault.handover.grant.UPGRADER_ROLE", "Vault.handover.renounce.DEFAULT_ADMIN_ROLE",
    }  # fmt: skip
    rollback = json.loads((ship.root / done["rollback"]).read_text())
    assert rollback["capability"] == "full"
    assert rollback["requires"]["authority"] == SECOND

    ship.edit("ship.toml", 'args = ["${deployer}"]    ', f'args = ["{DEPLOYER}"]')  # who that was is a fact from now on
    _upgrade(ship)
    refused = ship.deploy(exit_code=2)  # the old key
    assert refused["error"]["code"] == "SHIP-E10"
    assert refused["sent"] == 0
    _sign_with(ship, tmp_path, SECOND_KEY, SECOND)
    assert ship.deploy()["sent"] == 2
    assert ship.deploy()["sent"] == 0

    # The way back, as recorded, sent by the new key with another tool.
    for step in rollback["transactions"]:
        chain.send(step["to"], bytes.fromhex(step["data"][2:]), sender=step["from"])
    assert chain.read(units["Registry"]["address"], "owner()")[-20:].hex() == DEPLOYER[2:].lower()
    assert any(
        chain.read(units["Vault"]["address"], "hasRole(bytes32,address)", ["bytes32", "address"], [bytes(32), DEPLOYER])
    )
    assert not any(
        chain.read(units["Vault"]["address"], "hasRole(bytes32,address)", ["bytes32", "address"], [bytes(32), SECOND])
    )


def test_a_rotation_needs_the_approvals_of_its_target(project: Project, tmp_path: Path) -> None:
    ship = project("vault")
    ship("localnet", "up")
    _governed_by_its_key(ship)
    ship.deploy()
    approver = keyfile(ship.root, SECOND_KEY, "approver.json")
    (ship.root / "approver.toml").write_text(
        f'schema = 1\n[signer]\nbackend = "keystore"\nfile = "{approver.name}"\npassword = "file:{password_file(tmp_path)}"\n'
    )
    target = ship.root / "manifests/local.toml"
    target.write_text(f'{target.read_text()}\n[policy]\napprovals = 1\napprovers = {{ alice = "{SECOND}" }}\n')

    rotate = ("signer", "rotate", "--chain", "local")
    assert "SHIP-A03" in ship(*rotate, "--to", FOURTH, "--yes", exit_code=2).stderr
    ship(*rotate, "--to", FOURTH, "--out", "rotation.json")
    assert "SHIP-A03" in ship(*rotate, "--plan", "rotation.json", "--yes", exit_code=2).stderr
    ship("approve", "rotation.json", "--signer", "approver.toml", "--yes")
    done = json.loads(ship(*rotate, "--plan", "rotation.json", "--json").stdout)
    assert (done["from"], done["to"]) == (DEPLOYER, FOURTH)
    accepted = [row for row in ship.journal() if row["kind"] == "plan.accepted"][-1]
    assert accepted["data"]["approved_by"] == "alice"


def test_what_a_rotation_refuses(project: Project) -> None:
    ship = project("counter")
    ship("localnet", "up")
    assert "SHIP-Z01" in ship("signer", "rotate", "--chain", "local", "--to", SECOND, exit_code=2).stderr
    ship.deploy()
    assert "SHIP-Z04" in ship("signer", "rotate", "--chain", "local", exit_code=2).stderr
    assert "SHIP-Z05" in ship("signer", "rotate", "--chain", "local", "--to", SECOND[:-1], exit_code=2).stderr
    bent = SECOND.replace("C", "c", 1)
    assert "SHIP-Z05" in ship("signer", "rotate", "--chain", "local", "--to", bent, exit_code=2).stderr
    assert "SHIP-E34" in ship("signer", "rotate", "--chain", "local", "--to", DEPLOYER, exit_code=2).stderr
    fixed = ship("signer", "rotate", "--chain", "local", "--to", SECOND, exit_code=2).stderr
    assert "SHIP-E10" in fixed  # its registry's owner is an immutable: shown by the simulation, and nothing was sent
    assert "Registry.handover.owner" in fixed
    assert ship.deploy()["sent"] == 0
