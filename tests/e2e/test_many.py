"""Many targets in one run: five chains, one command, five records; one killed half way and resumed."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from eth_keyfile.keyfile import create_keyfile_json

from chains.tools import find_tool
from tests.support.schemas import hold

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).resolve().parents[2]
KEY = bytes.fromhex("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")
"""anvil's first account, public knowledge."""


@contextmanager
def _anvil(chain_id: int, log: Path) -> Iterator[str]:
    command = [str(find_tool("anvil", ROOT)), "--host", "127.0.0.1", "--port", "0", "--chain-id", str(chain_id)]
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    try:
        deadline_s = time.monotonic() + 30
        while "Listening on " not in log.read_text():
            assert time.monotonic() < deadline_s, "anvil did not start"
            time.sleep(0.02)
        yield "http://" + log.read_text().split("Listening on ")[1].split()[0]
    finally:
        process.terminate()
        process.wait(timeout=30)


def _targets(root: Path, urls: list[str]) -> list[str]:
    """A manifest a chain, one encrypted key for all; the key derivation is cheap, this is no production key."""
    (root / "key.json").write_text(json.dumps(create_keyfile_json(KEY, b"password", kdf="pbkdf2", iterations=1000)))
    (root / "password").write_text("password\n")
    (root / "password").chmod(0o600)
    names = []
    for number, url in enumerate(urls):
        names.append(f"chain{number}")
        (root / "manifests" / f"{names[-1]}.toml").write_text(
            "schema = 1\n"
            f'chain = {{ name = "test{number}", id = {42_000 + number}, block-time-ms = 200 }}\n'
            f'[rpc]\nendpoints = ["{url}"]\n'
            '[signer]\nbackend = "keystore"\nfile = "key.json"\npassword = "file:password"\n'
            "[policy]\nfinality = 1\nwait-s = 60\n"
        )
    return names


@pytest.fixture
def fleet(project: Callable[[str], Any], tmp_path: Path) -> Iterator[tuple[Any, list[str]]]:
    """The counter project with five chains of its own."""
    ship = project("counter")
    with ExitStack() as stack:
        urls = [stack.enter_context(_anvil(42_000 + n, tmp_path / f"anvil{n}.log")) for n in range(5)]
        yield ship, _targets(ship.root, urls)


def _deploy(ship: Any, names: list[str], exit_code: int = 0) -> dict[str, Any]:
    done = ship("deploy", "--chain", ",".join(names), "--yes", "--json", exit_code=exit_code)
    document: dict[str, Any] = json.loads(done.stdout)
    hold(document)
    return document


def test_five_chains_one_command_five_records(fleet: tuple[Any, list[str]]) -> None:
    ship, names = fleet
    document = _deploy(ship, names)
    assert document["outcome"] == "done"
    assert [t["target"] for t in document["targets"]] == names
    assert len({t["sent"] for t in document["targets"]}) == 1
    for target in document["targets"]:
        assert json.loads((ship.root / target["record"]).read_text())["target"] == target["target"]
    assert _deploy(ship, names)["sent"] == 0


def test_one_failing_leaves_the_others_whole(fleet: tuple[Any, list[str]]) -> None:
    ship, names = fleet
    ship.edit("manifests/chain2.toml", "id = 42002", "id = 42999")
    document = _deploy(ship, names, exit_code=2)
    outcomes = {t["target"]: t["outcome"] for t in document["targets"]}
    assert outcomes == {n: "refused" if n == "chain2" else "done" for n in names}


def test_killed_half_way_all_are_finished_by_the_same_command(fleet: tuple[Any, list[str]]) -> None:
    ship, names = fleet
    process = ship.start("deploy", "--chain", ",".join(names), "--yes", "--json")
    deadline_s = time.monotonic() + 60
    journals = [ship.root / "deployments" / name / "journal.jsonl" for name in names]
    while time.monotonic() < deadline_s and process.poll() is None:
        if any(b"tx.signed" in j.read_bytes() for j in journals if j.exists()):
            break
        time.sleep(0.001)
    process.kill()
    process.communicate()
    assert _deploy(ship, names)["outcome"] == "done"
    for journal in journals:
        rows = [json.loads(line) for line in journal.read_text().splitlines()]
        final = [row["data"]["action"] for row in rows if row["kind"] == "tx.final"]
        assert len(final) == len(set(final))
        assert len([row for row in rows if row["kind"] == "plan.finished"]) == 1


def test_waves_stop_at_the_first_that_does_not_come_through(fleet: tuple[Any, list[str]]) -> None:
    ship, _ = fleet
    (ship.root / "manifests" / "local.toml").unlink(missing_ok=True)
    with (ship.root / "ship.toml").open("a") as file:
        file.write('\n[rollout]\nwaves = [["chain0"], ["chain1"], ["chain2", "chain3"]]\n')
    ship.edit("manifests/chain1.toml", "id = 42001", "id = 42999")
    done = ship("deploy", "--all", "--yes", "--json", exit_code=2)
    codes = {t["target"]: (t["error"] or {}).get("code") for t in json.loads(done.stdout)["targets"]}
    assert codes == {
        "chain0": None,
        "chain1": "SHIP-N03",
        "chain2": "SHIP-T02",
        "chain3": "SHIP-T02",
        "chain4": "SHIP-T02",
    }
