"""Drills: recorded rollbacks on what is live now. Each thing that can be lost is named; nothing is sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from chains.evm.proxies import IMPLEMENTATION_SLOT
from tests.support.boxes import BOX, CHECK, FOUNDRY, Boxes, unit
from tests.support.safes import ACCOUNTS, call

DEPLOYER, STRANGER = ACCOUNTS[0], ACCOUNTS[3]


@pytest.fixture
def boxes(small: Callable[..., Any]) -> Iterator[Boxes]:
    """1.0.0, then 1.1.0, on a chain that runs on."""
    allowed = 'unsafe-allow = { layout = "the value was never read" }\n'
    made = Boxes(small(unit("Box", "uups", more=allowed) + CHECK % "Box", {"src/Box.sol": BOX}, foundry=FOUNDRY))
    with made.kept():
        made.release()
        made.second()
        made.release()
        yield made


def only(boxes: Boxes, release: str = "v1.1.0") -> dict[str, Any]:
    """The verdict on the way back of ``release``; a drill leaves journal and chain as they were."""
    before = (boxes.root / "deployments/local/journal.jsonl").read_bytes(), boxes.chain.ask("eth_blockNumber")
    (target,) = boxes.drill()["targets"]
    after = (boxes.root / "deployments/local/journal.jsonl").read_bytes(), boxes.chain.ask("eth_blockNumber")
    assert before == after
    (found,) = [r for r in target["rollbacks"] if r["release"] == release]
    return dict(found)


def kinds(found: dict[str, Any]) -> set[str]:
    return {reason["kind"] for reason in found["reasons"]}


def test_what_was_recorded_holds_and_is_live_once_it_was_done(boxes: Boxes) -> None:
    assert boxes.drill()["outcome"] == "holds"
    assert only(boxes)["state"] == "holds"
    assert only(boxes, "v1.0.0")["state"] == "none"
    boxes.back()
    assert only(boxes)["state"] == "there"


def test_an_authority_that_lost_its_right_is_named(boxes: Boxes) -> None:
    boxes.chain.send(boxes.live()["Box"].address, call("transferOwnership(address)", STRANGER), sender=DEPLOYER)
    found = only(boxes)
    assert (found["state"], kinds(found)) == ("broken", {"authority"})
    (reason,) = found["reasons"]
    assert DEPLOYER in reason["text"]
    assert f"{STRANGER} can" in reason["text"]
    assert boxes.drill()["outcome"] == "broken"


def test_code_that_is_gone_is_named(boxes: Boxes) -> None:
    gone = boxes.record("v1.1.0/local.rollback.json")["before"]["Box"]["implementation"]
    boxes.chain.ask("anvil_setCode", gone, "0x")
    assert "code" in kinds(only(boxes))


def test_a_proxy_that_somebody_else_moved_is_named(boxes: Boxes) -> None:
    proxy = boxes.live()["Box"].address
    record = boxes.record("v1.1.0/local.rollback.json")
    word = "0x" + record["before"]["Box"]["implementation"][2:].lower().rjust(64, "0")
    boxes.chain.ask("anvil_setStorageAt", proxy, IMPLEMENTATION_SLOT, word)
    assert kinds(only(boxes)) == {"slot"}


def test_a_later_layout_that_the_old_code_does_not_fit_is_named(boxes: Boxes) -> None:
    boxes.edit("ship.toml", '"1.1.0"', '"1.2.0"')
    boxes.edit("src/Box.sol", "uint256 public value;", "uint128 public value;")
    boxes.release()
    assert kinds(only(boxes, "v1.1.0")) == {"layout"}
    assert only(boxes, "v1.2.0")["state"] == "holds"  # it was known, and is to be accepted, when that was released


def test_the_command_says_so_by_its_exit_code(boxes: Boxes) -> None:
    import json
    import os
    import subprocess
    import sys

    def ship(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", "from pipeline.cli import main; main()", "rollback", *arguments]
        env = {**os.environ, "PYTHONPATH": str(Path.cwd())}
        return subprocess.run(
            command, cwd=boxes.root, env=env, capture_output=True, text=True, check=False, timeout=120
        )

    assert ship("--drill", "--all").returncode == 0
    boxes.chain.send(boxes.live()["Box"].address, call("transferOwnership(address)", STRANGER), sender=DEPLOYER)
    done = ship("--drill", "--chain", "local", "--json")
    assert (done.returncode, json.loads(done.stdout)["outcome"]) == (4, "broken")
    assert "SHIP-U37" in done.stderr
    assert ship("--drill", "--execute", "--chain", "local").returncode == 2
    assert ship("--all").returncode == 2
