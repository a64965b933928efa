"""Going back: what was released is taken back proxy by proxy, by what was planned before. OpenZeppelin 5, anvil, forge."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pipeline.rollback.errors import CannotGoBack, NothingToRollBack, PreconditionGone, StateAtRisk
from tests.support.boxes import BOX, CHECK, FOUNDRY, KINDS, Boxes, unit
from tests.support.schemas import hold

Small = Callable[..., Any]


@pytest.fixture
def three(small: Small) -> Boxes:
    """One proxy of each kind, released as 1.0.0 and 1.1.0."""
    units = "".join(unit(kind.title(), kind) for kind in KINDS) + CHECK % "Uups"
    boxes = Boxes(small(units, {"src/Box.sol": BOX}, foundry=FOUNDRY))
    boxes.release()
    boxes.second()
    boxes.release()
    return boxes


def one(small: Small, more: str = "", kind: str = "uups") -> Boxes:
    boxes = Boxes(small(unit("Box", kind, more=more) + CHECK % "Box", {"src/Box.sol": BOX}, foundry=FOUNDRY))
    boxes.release()
    return boxes


def test_each_kind_of_proxy_goes_back_and_answers_as_before(three: Boxes) -> None:
    first = three.record("v1.0.0/local.rollback.json")
    hold(first)
    assert (first["capability"], first["returns_to"], first["transactions"]) == ("none", None, [])
    planned = three.record("v1.1.0/local.rollback.json")
    hold(planned)
    assert (planned["capability"], planned["returns_to"], planned["executed"]) == ("full", "v1.0.0", None)
    assert planned["rehearsed"]["checks"] == 1
    assert planned["strategy"] == "uups, transparent, beacon"
    assert any("moves every proxy that reads it" in risk for risk in planned["state_risks"])
    assert [three.read(kind.title()) for kind in KINDS] == [2, 2, 2]

    shown = three.shown()
    assert shown["transactions"] == planned["transactions"]
    assert "nothing was sent" in three.said
    done = three.back()
    assert (done.rolls_back, done.returns_to, done.transactions) == ("v1.1.0", "v1.0.0", 3)
    assert [three.read(kind.title()) for kind in KINDS] == [1, 1, 1]
    signed = three.rows("tx.reserved")[-3:]
    assert {row["address"] for row in signed} == {None}  # nothing is deployed again
    planned_data = {(t["to"], t["data"]) for t in planned["transactions"]}
    with three.small.chain() as rpc:
        sent = [rpc.read("eth_getTransactionByHash", [row["hash"]]) for row in three.rows("tx.final")[-3:]]
    assert {(t["to"].lower(), t["input"]) for t in sent} == {(to.lower(), data) for to, data in planned_data}

    record = three.record("v1.0.0/local.2.json")
    assert (record["way"], record["rolls_back"], record["returns_to"]) == ("rollback", "v1.1.0", "v1.0.0")
    assert {u["change"] for u in record["units"].values()} == {"upgrade"}
    forward = three.record("v1.0.0/local.2.rollback.json")  # the way forward again
    hold(forward)
    assert forward["before"] == planned["after"]
    assert three.back().transactions == 0


def test_after_a_rollback_the_next_version_is_released_from_there(three: Boxes) -> None:
    three.back()
    three.edit("ship.toml", '"1.1.0"', '"1.2.0"')
    three.edit("src/Box.sol", "return 2;", "return 3;")
    three.edit("ship.toml", "equals = 2", "equals = 3")
    assert three.release().sent == 6
    assert three.read("Beacon") == 3
    assert three.release().sent == 0
    # And from there two versions back, in one step.
    assert three.back("v1.0.0").transactions == 3
    assert three.read("Transparent") == 1
    assert three.back("1.1.0").transactions == 3
    assert three.read("Transparent") == 2


def test_there_is_nothing_to_take_back_before_anything_was_released(small: Small) -> None:
    boxes = Boxes(small(unit("Box", "uups"), {"src/Box.sol": BOX}, foundry=FOUNDRY))
    with pytest.raises(NothingToRollBack, match="nothing was released"):
        boxes.back()


def test_of_a_first_release_and_of_unknown_versions_it_is_said_that_there_is_no_way_back(small: Small) -> None:
    boxes = one(small)
    assert "first release" in boxes.refused(CannotGoBack).cause
    assert "v1.0.0" in boxes.refused(NothingToRollBack, "v0.9.0").remedy


def test_a_variable_that_was_added_stays_unread_and_goes_back_without_asking(small: Small) -> None:
    boxes = one(small)
    boxes.second(source=("uint256[49] private __gap;", "uint256 public more; uint256[48] private __gap;"))
    boxes.release()
    planned = boxes.record("v1.1.0/local.rollback.json")
    assert planned["capability"] == "code-only"
    assert any("Box.more" in risk and "stays" in risk for risk in planned["state_risks"])
    assert planned["to_accept"] == []
    assert boxes.back().transactions == 1
    assert boxes.read("Box", "value()") == 7


def test_a_layout_that_cannot_go_back_is_refused_until_somebody_accepts_it(small: Small) -> None:
    allowed = 'unsafe-allow = { layout = "the value is written anew by the migration" }\n'
    boxes = one(small, allowed)
    boxes.second(source=("uint256 public value;", "uint128 public value;"))
    boxes.release()
    assert boxes.record("v1.1.0/local.rollback.json")["to_accept"]
    error = boxes.refused(StateAtRisk)
    assert "Box.value" in error.cause
    assert "--accept-state-risks" in error.remedy
    assert boxes.back(accept=True).transactions == 1
    assert boxes.read("Box") == 1
    assert any("Box.value" in risk for risk in boxes.record("v1.0.0/local.2.json")["accepted_risks"])


def test_without_the_bundles_the_record_still_tells_that_the_storage_fits(three: Boxes) -> None:
    import shutil

    shutil.rmtree(three.root / ".ship" / "bundles")
    assert three.back().transactions == 3
    assert three.read("Uups") == 1


def test_an_implementation_that_is_gone_is_not_gone_back_to(three: Boxes) -> None:
    gone = three.record("v1.1.0/local.rollback.json")["before"]["Beacon"]["implementation"]
    with three.kept():
        three.chain.ask("anvil_setCode", gone, "0x")
        assert gone in three.refused(PreconditionGone).cause
        three.chain.ask("anvil_setCode", gone, "0x00")
        assert "keccak256" in three.refused(PreconditionGone).cause


def test_an_upgrade_that_takes_its_own_right_away_is_not_begun(small: Small) -> None:
    """By a handover in the upgrade itself to an address that nothing leads to."""
    boxes = one(small)
    boxes.second(
        source=("// more", "function leave() external reinitializer(2) { _transferOwnership(address(0xdead)); }")
    )
    boxes.edit("ship.toml", 'proxy = "uups"\n', 'proxy = "uups"\nupgrade = { call = "leave()" }\n')
    outcome = boxes.release(exit_code=2)
    assert outcome.sent == 0
    assert not (boxes.root / "releases/v1.1.0").exists()
