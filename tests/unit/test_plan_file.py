"""The plan as a document: one digest for one plan, altered files refused, stale plans refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chains.evm.actions import PlannedCheck, PlannedUnit
from chains.evm.live import LiveUnit
from pipeline.plan import Plan, PlanInvalid, PlanStale, live_digest, load_plan, refuse_stale, save_plan
from pipeline.plan_text import render_plan
from tests.support.anvil import DEPLOYER
from tests.support.contracts import COUNTER, Workshop, tagged


def made(**changes: Any) -> Plan:
    workshop = Workshop(DEPLOYER, 4)
    box = workshop.create("Box", tagged(COUNTER, 1))
    workshop.call("add", box, b"\x01")
    body = replace(
        workshop.plan(31337, "0x" + "ab" * 32, 17)[0],
        units=(PlannedUnit("Box", "create", "not deployed yet", LiveUnit("Box", address=box).to_json()),),
        checks=(PlannedCheck("count", box, "get()", b"\x02", ("uint256",), bytes(32)),),
        limits={"max_cost_wei": "5", "max_fee_per_gas_wei": None},
        estimate={"gas": 7},
    )
    fields: dict[str, Any] = {
        "project": "acme",
        "version": "1.0.0",
        "target": "local",
        "commit": "c" * 40,
        "dirty": False,
        "bundle": "b" * 64,
        "inputs": "1" * 64,
        "state": "2" * 64,
        "body": body,
    }
    return Plan(**{**fields, **changes})


def test_a_plan_is_written_and_read_back_with_its_digest(tmp_path: Path) -> None:
    plan = made()
    save_plan(tmp_path / "p.json", plan)
    again = load_plan(tmp_path / "p.json", expected=plan.digest)
    assert again == plan
    assert again.digest == plan.digest == made().digest


def test_the_digest_does_not_depend_on_how_the_file_is_laid_out(tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text(json.dumps(dict(reversed(made().to_json().items()))))
    assert load_plan(tmp_path / "p.json", expected=made().digest)


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path] * bool(path) + [p for key, item in items for p in _paths(item, (*path, key))]


@pytest.mark.parametrize("path", _paths(json.loads(json.dumps(made().to_json()))), ids=lambda p: ".".join(map(str, p)))
def test_any_altered_field_is_refused(tmp_path: Path, path: tuple[Any, ...]) -> None:
    data = json.loads(json.dumps(made().to_json()))
    holder = data
    for key in path[:-1]:
        holder = holder[key]
    old = holder[path[-1]]
    for new in (None if old is not None else 1, "x", [old], {"x": old}, -1, True):
        if new == old and type(new) is type(old):
            continue
        holder[path[-1]] = new
        (tmp_path / "p.json").write_text(json.dumps(data))
        with pytest.raises(PlanInvalid) as caught:
            load_plan(tmp_path / "p.json", expected=made().digest)
        assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        "null",
        "7",
        '{"schema":1}',
        "[" * 100_000,
        '{"schema":1,"kind":"contract-ship/plan"}',
        "\ufeff{}",
    ],
)
def test_what_is_no_plan_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "p.json").write_text(text)
    with pytest.raises(PlanInvalid):
        load_plan(tmp_path / "p.json")


def test_a_plan_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PlanInvalid):
        load_plan(tmp_path / "p.json")


def test_gas_and_prices_may_move_between_plan_and_deployment() -> None:
    now = made()
    actions = tuple(replace(a, gas_limit=9, gas_estimate=8) for a in now.body.actions)
    observed = {**now.body.observed, "block_number": 99}
    refuse_stale(made(), replace(now, body=replace(now.body, actions=actions, estimate={"gas": 1}, observed=observed)))


BODY = made().body
MOVED: dict[str, Plan] = {
    "the project": made(project="other"),
    "the version": made(version="1.0.1"),
    "the target": made(target="base"),
    "the bundle": made(bundle="c" * 64),
    "the manifests": made(inputs="3" * 64),
    "the recorded state": made(state="3" * 64),
    "the chain": made(body=replace(BODY, chain={**BODY.chain, "id": 1})),
    "the signer": made(body=replace(BODY, deployer="0x" + "00" * 20)),
    "the signer's nonce": made(body=replace(BODY, observed={**BODY.observed, "nonce": 5})),
    "the limits": made(body=replace(BODY, limits={**BODY.limits, "max_cost_wei": None})),
    "the units": made(body=replace(BODY, units=())),
    "the checks": made(body=replace(BODY, checks=())),
    "the actions": made(body=replace(BODY, actions=BODY.actions[:1])),
}


@pytest.mark.parametrize("what", MOVED)
def test_a_plan_whose_ground_moved_is_stale_and_says_why(what: str) -> None:
    with pytest.raises(PlanStale, match=what) as caught:
        refuse_stale(MOVED[what], made())
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("change", [{"value_wei": 1}, {"data": b"\x09"}, {"to": DEPLOYER}, {"effect": {"address": "0x1"}}, {"title": "harmless"}, {"needs_code": ()}, {"nonce": 9}])  # fmt: skip
def test_an_edited_action_is_stale(change: dict[str, Any]) -> None:
    edited = replace(BODY, actions=(BODY.actions[0], replace(BODY.actions[1], **change)))
    with pytest.raises(PlanStale, match="the actions"):
        refuse_stale(made(body=edited), made())


def test_recorded_state_is_named_by_all_of_it() -> None:
    live = {"A": LiveUnit("A", address="0x1", created={"x": "0x1"})}
    assert live_digest(live) == live_digest({"A": LiveUnit("A", address="0x1", created={"x": "0x1"})})
    others = [{}, {"A": LiveUnit("A")}, {"A": replace(live["A"], created={})}, {"B": LiveUnit("B")}]
    assert len({live_digest(o) for o in [live, *others]}) == 5  # type: ignore[arg-type, list-item]


@pytest.mark.parametrize(
    ("estimate", "said"),
    [
        ({"l1_fee_wei": "5000000000000000", "worst_l1_fee_wei": "10000000000000000"}, "about 0.005 ETH for the bytes"),
        ({"l1_fee_wei": "5000000000000000", "l1_gas": 1234}, "(1,234 gas of the above)"),
    ],
)
def test_the_plan_says_what_the_parent_chain_charges(estimate: dict[str, object], said: str) -> None:
    costs = {"gas": 1, "base_fee_wei": "1", "max_fee_per_gas_wei": "2", "cost_wei": "3", "worst_cost_wei": "4"}
    limits = {**BODY.limits, "gas_margin_bps": 2000}
    text = render_plan(made(body=replace(BODY, limits=limits, estimate={**costs, **estimate})), "ETH")
    assert said in text
