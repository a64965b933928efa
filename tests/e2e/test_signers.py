"""The vault released with a key ``ship`` does not hold: at a remote signer, on a machine without a network."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chains.rpc import Endpoint
from tests.support.anvil import DEPLOYER, anvil, tool
from tests.support.fault_proxy import delay, fault_proxy, http_status
from tests.support.keyfiles import PASSWORD, keyfile, password_file
from tests.support.schemas import hold
from tests.support.signers import SIGNERS, open_evm

Project = Callable[[str], Any]

pytestmark = pytest.mark.e2e

LONGEST_S = 120.0


def _signer(ship: Any, *lines: str, address: str = DEPLOYER) -> None:
    path = ship.root / "manifests/local.toml"
    path.write_text(path.read_text() + "\n[signer]\n" + "\n".join([*lines, f'address = "{address}"']) + "\n")


def _kill_after_rows(ship: Any, kind: str, count: int) -> None:
    """Start a deployment and kill it as soon as the journal holds ``count`` rows of ``kind``."""
    process = ship.start("deploy", "--chain", "local", "--json")
    journal = ship.root / "deployments/local/journal.jsonl"
    deadline_s = time.monotonic() + LONGEST_S
    while process.poll() is None and time.monotonic() < deadline_s:
        if journal.exists() and journal.read_text().count(f'"{kind}"') >= count:
            break
        time.sleep(0.001)
    process.kill()
    process.communicate()


def _once(ship: Any, document: Any, actions: int = 19) -> None:
    """O1, O2, O7: every action once, signed once, and a further run sends nothing."""
    assert document["outcome"] == "done"
    rows = ship.journal()
    final = Counter(row["data"]["action"] for row in rows if row["kind"] == "tx.final")
    signed = Counter(row["data"]["action"] for row in rows if row["kind"] == "tx.signed")
    assert len(final) == len(signed) == actions
    assert set(final.values()) == set(signed.values()) == {1}
    assert ship.deploy()["sent"] == 0


def test_a_remote_signer_is_killed_against_and_its_token_expires(project: Project) -> None:
    """kill -9 in the middle; then the signer turns the token away for a while (fault 40)."""
    ship = project("vault")
    ship("localnet", "up")
    with anvil() as signer, fault_proxy(signer.url) as proxy:
        _signer(ship, 'backend = "remote"', f'url = "{proxy.url}"')
        proxy.add(delay(0.2, "eth_signTransaction", times=None))  # what is signed in half a second is one group of rows
        _kill_after_rows(ship, "tx.signed", 2)
        proxy.clear()
        proxy.add(http_status(401, "eth_signTransaction", times=None, after=3))
        stopped = ship.deploy(exit_code=3)
        assert stopped["error"]["code"] == "SHIP-S04"
        assert "token" in stopped["error"]["cause"]
        proxy.clear()
        _once(ship, ship.deploy())
        assert proxy.sent == []  # the signer signs; nothing is sent through it


@pytest.mark.xdist_group("softhsm")
@pytest.mark.parametrize("backend", ["aws-kms", "pkcs11"])
def test_a_key_service_or_a_token_releases_the_vault(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backend: str
) -> None:
    ship = project("vault")
    url = ship("localnet", "up").stdout.split()[3]
    with SIGNERS[backend](tmp_path) as service:
        assert service.evm is not None
        for name, value in service.environment.items():
            monkeypatch.setenv(name, value)
        case = service.evm()
        address = open_evm(tmp_path / "looking", case.table).address
        Endpoint(url).batch([("anvil_setBalance", [address, hex(10**20)])])
        _signer(ship, *(f'{key} = "{value}"' for key, value in case.table.items()), address=address)
        _once(ship, ship.deploy())
        signers = {row["data"]["signer"] for row in ship.journal() if row["kind"] == "tx.signed"}
        assert signers == {address}


def _request(ship: Any) -> Path:
    (path,) = [p for p in (ship.root / "deployments/local/signing").glob("*.json") if ".signed" not in p.name]
    return path


def test_a_key_on_a_machine_without_a_network(project: Project, tmp_path: Path) -> None:
    """One round: deploy stops, the other machine signs, deploy goes on. Killed before the request, and while sending."""
    ship = project("vault")
    ship("localnet", "up")
    _signer(ship, 'backend = "offline"')
    _kill_after_rows(ship, "tx.reserved", 5)
    stopped = ship.deploy(exit_code=3)
    assert stopped["error"]["code"] == "SHIP-O01"
    assert stopped["sent"] == 0
    request = _request(ship)
    assert request.name in stopped["error"]["remedy"]
    assert ship.deploy(exit_code=3)["error"]["code"] == "SHIP-O01"
    assert _request(ship) == request  # the same request, however often it is asked

    # The other machine: another folder, no project, nothing but the file and the key.
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    carried = shutil.copy(request, elsewhere / "request.json")
    away = type(ship)(elsewhere)
    shown = away(
        "sign", "sign", "request.json", "--keystore", str(keyfile(elsewhere)), "--password-file",
        str(password_file(elsewhere)), "--yes",
    ).stdout  # fmt: skip
    data = json.loads(request.read_text())
    assert data["sha256"] in shown
    assert "init code" in shown
    assert "transferOwnership(address)" in shown
    assert re.search(r"19 transactions, at most [0-9.]+ ETH together", shown)
    assert PASSWORD not in shown

    taken = ship("sign", "import", str(elsewhere / "request.signed.json"), "--chain", "local").stdout
    assert taken.count("taken") == 19
    _kill_after_rows(ship, "tx.signed", 6)
    _once(ship, ship.deploy())
    assert Path(carried).exists()


def test_cast_signs_what_was_exported(project: Project, tmp_path: Path) -> None:
    """Another tool in the place of the other machine: raw transactions, one a line."""
    ship = project("counter")
    ship("localnet", "up")
    _signer(ship, 'backend = "offline"')
    ship.deploy(exit_code=3)
    out = tmp_path / "out.json"
    export = json.loads(
        ship("sign", "export", "--chain", "local", "--again", "--fee-factor", "3", "--out", str(out), "--json").stdout
    )
    hold(export)
    request = json.loads(out.read_text())
    assert export["sha256"] == request["sha256"]
    lines = []
    reserved = {r["data"]["action"]: r["data"] for r in ship.journal() if r["kind"] == "tx.reserved"}
    actions = {a["id"]: a for a in request["plan"]["body"]["actions"]}
    for asked in request["transactions"]:
        action, fees = actions[asked["action"]], reserved[asked["action"]]["fees"]
        target = ["--create", action["data"]] if action["to"] is None else [action["to"], action["data"]]
        command = [
            str(tool("cast")), "mktx", "--private-key", "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
            "--chain", "31337", "--nonce", str(action["nonce"]), "--gas-limit", str(action["gas_limit"]),
            "--gas-price", str(fees["max_fee_per_gas_wei"]), "--priority-gas-price",
            str(fees["max_priority_fee_per_gas_wei"]), "--rpc-url", ship("localnet", "up").stdout.split()[3], *target,
        ]  # fmt: skip
        lines.append(subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.strip())
    raw = tmp_path / "signed.txt"
    raw.write_text("\n".join(lines) + "\n")
    hold(json.loads(ship("sign", "import", str(raw), "--chain", "local", "--json").stdout))
    _once(ship, ship.deploy(), actions=len(lines))


def test_signatures_over_anything_else_are_not_taken(project: Project, tmp_path: Path) -> None:
    ship = project("counter")
    ship("localnet", "up")
    _signer(ship, 'backend = "offline"')
    ship.deploy(exit_code=3)
    first = _request(ship)
    away = type(ship)(tmp_path)
    key, password = str(keyfile(tmp_path)), str(password_file(tmp_path))
    shutil.copy(first, tmp_path / "first.json")
    away("sign", "sign", "first.json", "--keystore", key, "--password-file", password, "--yes")
    ship("sign", "export", "--chain", "local", "--again", "--fee-factor", "5")
    late = ship("sign", "import", str(tmp_path / "first.signed.json"), "--chain", "local", exit_code=2)
    assert "anew with other fees" in late.stderr
    assert ship.deploy(exit_code=3)["error"]["code"] == "SHIP-O01"

    other = keyfile(tmp_path, b"\x07" * 32, "other.json")
    away("sign", "sign", "first.json", "--keystore", str(other), "--password-file", password, "--yes", exit_code=2)
    data = json.loads((tmp_path / "first.json").read_text())
    data["transactions"][0]["payload"] = data["transactions"][1]["payload"]
    (tmp_path / "bent.json").write_text(json.dumps(data))
    refused = away("sign", "sign", "bent.json", "--keystore", key, "--password-file", password, "--yes", exit_code=2)
    assert "SHIP-O02" in refused.stderr
    assert not (tmp_path / "bent.signed.json").exists()


def test_a_stuck_transaction_is_replaced_by_a_round_more(project: Project, tmp_path: Path) -> None:
    """Nothing is mined at first: the run asks for higher fees, takes what comes back, and ends with that one mined."""
    ship = project("counter")
    folder = ship.root / "deployments/local/signing"
    key, password = str(keyfile(tmp_path)), str(password_file(tmp_path))

    def sign_what_waits() -> dict[str, Any]:
        waiting = [p for p in folder.glob("*.json") if ".signed" not in p.name]
        request = next(p for p in waiting if not p.with_name(p.name.replace(".json", ".signed.json")).exists())
        ship("sign", "sign", str(request), "--keystore", key, "--password-file", password, "--yes")
        data: dict[str, Any] = json.loads(request.read_text())
        return data

    with anvil("--no-mining") as node:
        path = ship.root / "manifests/local.toml"
        embedded = path.read_text()
        path.write_text(embedded + f'\n[rpc]\nendpoints = ["{node.url}"]\n')
        _signer(ship, 'backend = "offline"')
        ship.deploy(exit_code=3)
        sign_what_waits()  # beside the request: the next run finds it there
        stuck = ship.deploy(exit_code=3)
        assert stuck["error"]["code"] == "SHIP-O01"
        assert "stuck" in stuck["error"]["cause"]
        request = sign_what_waits()
        (asked,) = request["transactions"]
        assert asked["replaces"] is True
        process = ship.start("deploy", "--chain", "local", "--json")
        deadline_s = time.monotonic() + LONGEST_S
        while time.monotonic() < deadline_s:
            signed = [
                r["data"] for r in ship.journal() if r["kind"] == "tx.signed" and r["data"]["action"] == asked["action"]
            ]
            if len(signed) == 2 and node.call("eth_getTransactionByHash", signed[1]["hash"]) is not None:
                break
            time.sleep(0.05)
        node.call("evm_setAutomine", True)
        node.call("evm_mine")
        out, _ = process.communicate(timeout=LONGEST_S)
        assert json.loads(out)["outcome"] == "done"
        mined = next(
            r["data"] for r in ship.journal() if r["kind"] == "tx.final" and r["data"]["action"] == asked["action"]
        )
        assert mined["hash"] == signed[1]["hash"]
        assert ship.deploy()["sent"] == 0
        path.write_text(embedded)
