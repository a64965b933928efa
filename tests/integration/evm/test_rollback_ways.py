"""Rollbacks that are more than a call of the deployer's: by a Safe, by redirect, by themselves, and through kill -9."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from chains.errors import Resumable
from pipeline.proposals.importing import import_signatures
from pipeline.proposals.listing import list_proposals
from pipeline.rollback.errors import StateAtRisk
from pipeline.status.looking import look
from pipeline.ui.plain import PlainUi
from tests.support.boxes import BOX, CHECK, FOUNDRY, KINDS, Boxes, unit
from tests.support.safes import ACCOUNTS, install, new_safe

DEPLOYER, SECOND = ACCOUNTS[:2]
Small = Callable[..., Any]
ROOT = Path(__file__).resolve().parents[3]


def signed_by_the_second(boxes: Boxes) -> None:
    (path,) = [p["file"] for p in list_proposals(boxes.root, "local") if p["state"] == "proposed"]
    asked = json.loads((boxes.root / path).read_text())["ship"]
    file = boxes.root / "given.json"
    signature = boxes.chain.sign_typed(SECOND, asked["typedData"])
    file.write_text(json.dumps({"safeTxHash": asked["safeTxHash"], "signatures": [{"signature": signature}]}))
    import_signatures(boxes.root, "local", file, PlainUi(StringIO()))


def test_what_a_safe_owns_goes_back_by_a_proposal(small: Small) -> None:
    boxes = Boxes(small("", {"src/Box.sol": BOX}, foundry=FOUNDRY))
    with boxes.kept():
        install(boxes.chain)
        safe = new_safe(boxes.chain, [DEPLOYER, SECOND], 2)
        manifest = boxes.root / "ship.toml"
        manifest.write_text(manifest.read_text() + "".join(unit(k.title(), k, safe) for k in KINDS) + CHECK % "Uups")
        boxes.release()
        boxes.second()
        boxes.release(exit_code=3)
        record = boxes.record("v1.1.0/local.rollback.json")  # before anybody agreed to the upgrade
        assert (record["requires"]["authority"], record["requires"]["kind"], record["requires"]["threshold"]) == (
            safe,
            "safe",
            2,
        )
        signed_by_the_second(boxes)
        boxes.release()
        assert boxes.read("Beacon") == 2
        with pytest.raises(Resumable, match="1 of 2 signatures"):
            boxes.back()
        assert boxes.read("Beacon") == 2
        boxes.release(exit_code=2)
        assert "SHIP-U36" in boxes.said
        (status,) = look(boxes.root, "local", PlainUi(StringIO())).targets
        assert status.unfinished is not None
        assert status.unfinished.resume == "ship rollback --chain local --execute"
        signed_by_the_second(boxes)
        assert boxes.back().transactions == 1
        assert [boxes.read(kind.title()) for kind in KINDS] == [1, 1, 1]
        assert boxes.back().transactions == 0


REGISTRY = """
contract Registry { address public router; function point(address to) external { router = to; } }
"""
ROUTED = """
[contracts.Registry]
source = "src/Registry.sol:Registry"
[contracts.Router]
source = "src/Router.sol:Router"
replace = true
[calls.point]
to = "${contracts.Registry}"
call = "point(address)"
args = ["${contracts.Router}"]
"""
ROUTER = "contract Router { uint256 public immutable version = 1; }"
REDIRECT = """
[rollback.redirect.point]
to = "${contracts.Registry}"
call = "point(address)"
args = ["${contracts.Router}"]
restores = "Router"
"""


@pytest.mark.parametrize("declared", [True, False])
def test_what_cannot_change_is_pointed_back_where_the_project_says_how(small: Small, declared: bool) -> None:
    boxes = Boxes(
        small(ROUTED + (REDIRECT if declared else ""), {"src/Registry.sol": REGISTRY, "src/Router.sol": ROUTER})
    )
    boxes.release()
    old = boxes.live()["Router"].address
    boxes.edit("ship.toml", '"1.0.0"', '"1.1.0"')
    boxes.edit("src/Router.sol", "version = 1", "version = 2")
    boxes.release()
    new = boxes.live()["Router"].address
    assert old != new
    record = boxes.record("v1.1.0/local.rollback.json")
    assert record["capability"] == ("redirect" if declared else "none")
    if not declared:
        from pipeline.rollback.errors import CannotGoBack

        assert "Router cannot be taken back" in boxes.refused(CannotGoBack).cause
        return
    assert any("the call or script point" in risk for risk in record["state_risks"])
    assert boxes.back().transactions == 1
    assert boxes.live()["Router"].address == old
    assert boxes.read("Registry", "router()") == int(old, 16)
    assert boxes.back().transactions == 0


LATER = (
    "function version() external view returns (uint256) { return payer.balance != held ? 3 : 2; } "
    "address immutable payer = msg.sender; uint256 immutable held = msg.sender.balance;"
)
"""A simulation charges nobody for gas; the chain does."""


def test_failed_checks_take_a_release_back_by_themselves(small: Small) -> None:
    boxes = Boxes(
        small(
            "[rollback]\nautomatic = true\n" + unit("Box", "uups") + CHECK % "Box",
            {"src/Box.sol": BOX},
            foundry=FOUNDRY,
        )
    )
    boxes.release()
    boxes.edit("ship.toml", '"1.0.0"', '"1.1.0"')
    boxes.edit("ship.toml", "equals = 1", "equals = 2")
    boxes.edit("src/Box.sol", "function version() external pure returns (uint256) { return 1; }", LATER)
    outcome = boxes.release(exit_code=4)
    assert outcome.error["code"] == "SHIP-V02"
    assert "rolled back to v1.0.0 by itself" in outcome.error["done"]
    assert boxes.read("Box") == 1
    accepted = boxes.rows("plan.accepted")[-1]
    assert accepted["approved_by"] == "[rollback] automatic"
    assert boxes.record("v1.0.0/local.2.json")["rolls_back"] == "v1.1.0"
    assert boxes.back().transactions == 0


def test_an_automatic_rollback_takes_no_risk_that_a_person_has_to_take(small: Small) -> None:
    units = "[rollback]\nautomatic = true\n" + unit(
        "Box", "uups", more='unsafe-allow = { layout = "nobody reads it" }\n'
    )
    boxes = Boxes(small(units + CHECK % "Box", {"src/Box.sol": BOX}, foundry=FOUNDRY))
    boxes.release()
    boxes.edit("ship.toml", '"1.0.0"', '"1.1.0"')
    boxes.edit("ship.toml", "equals = 1", "equals = 2")
    boxes.edit("src/Box.sol", "function version() external pure returns (uint256) { return 1; }", LATER)
    boxes.edit("src/Box.sol", "uint256 public value;", "uint128 public value;")
    outcome = boxes.release(exit_code=4)
    assert outcome.error["code"] == "SHIP-V02"
    assert "did not come through: SHIP-U32" in outcome.error["done"]
    assert boxes.read("Box") == 3
    assert isinstance(boxes.refused(StateAtRisk), StateAtRisk)
    assert boxes.back(accept=True).transactions == 1
    assert boxes.read("Box") == 1


def test_kill_9_behind_every_row_leaves_each_step_once(small: Small) -> None:
    boxes = Boxes(small("".join(unit(k.title(), k) for k in KINDS), {"src/Box.sol": BOX}, foundry=FOUNDRY))
    with boxes.kept():
        boxes.release()
        boxes.second()
        boxes.release()
        journal = boxes.root / "deployments/local/journal.jsonl"
        deployer_nonce = int(boxes.chain.ask("eth_getTransactionCount", DEPLOYER, "latest"), 16)
        kills = 0
        for _ in range(40):
            rows = journal.read_bytes().count(b"\n")
            process = _rollback(boxes)
            deadline_s = time.monotonic() + 60
            while process.poll() is None and time.monotonic() < deadline_s:
                if journal.read_bytes().count(b"\n") > rows:
                    break
                time.sleep(0.0005)
            process.kill()
            kills += process.wait() == -9
            if boxes.rows("plan.finished")[-1]["plan"] == boxes.rows("plan.accepted")[-1]["plan"]:
                break
        done = _rollback(boxes)
        assert done.wait(60) == 0
        assert kills > 1
        assert [boxes.read(kind.title()) for kind in KINDS] == [1, 1, 1]
        plan = boxes.rows("plan.finished")[-1]["plan"]
        final = Counter(row["action"] for row in boxes.rows("tx.final") if row["plan"] == plan)
        assert final == {f"{kind.title()}.rollback": 1 for kind in KINDS}
        assert int(boxes.chain.ask("eth_getTransactionCount", DEPLOYER, "latest"), 16) == deployer_nonce + 3
        assert boxes.back().transactions == 0


def _rollback(boxes: Boxes) -> subprocess.Popen[bytes]:
    command = [
        sys.executable,
        "-c",
        "from pipeline.cli import main; main()",
        "rollback",
        "--chain",
        "local",
        "--execute",
    ]
    return subprocess.Popen(
        command,
        cwd=boxes.root,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def test_a_plan_that_was_saved_is_what_is_gone_back_by(small: Small) -> None:
    from pipeline.plan import PlanStale, load_plan

    boxes = Boxes(small(unit("Box", "uups") + CHECK % "Box", {"src/Box.sol": BOX}, foundry=FOUNDRY))
    with boxes.kept():
        boxes.release()
        boxes.second()
        boxes.release()
        saved = boxes.root / "back.json"
        boxes.shown(out=saved)
        other = boxes.root / "other.json"
        boxes.chain.send(DEPLOYER, b"", sender=DEPLOYER)  # the nonce moves on
        assert isinstance(boxes.refused(PlanStale, saved=saved), PlanStale)
        boxes.shown(out=other)
        boxes.back(saved=other)
        assert boxes.rows("plan.accepted")[-1]["plan"] == load_plan(other).digest
