"""The second reader agrees with every plan that is right, and sees every byte that is not what the plan shows."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chains.canonical import sha256_hex
from pipeline.approvals.second_look import RenderersDisagree, second_look
from pipeline.bundle import load_bundle
from pipeline.plan import Plan

Project = Callable[[str], Any]

pytestmark = pytest.mark.e2e

FEW = settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def _plan(ship: Any) -> tuple[dict[str, Any], Any]:
    ship("plan", "--chain", "local", "--out", "plan.json")
    document = json.loads((ship.root / "plan.json").read_text())
    return document, load_bundle(ship.root / ".ship/bundles", document["bundle"])


def _one(document: dict[str, Any], number: int, **changed: Any) -> Plan:
    """The plan with one action alone, fields of which are changed; its digest of the payload is made to fit."""
    action = {**document["body"]["actions"][number], **changed}
    to = (action["to"] or "create").lower()
    payload = f"{to}:{action['value_wei']}:".encode() + bytes.fromhex(action["data"][2:])
    action["payload_sha256"] = sha256_hex(payload)
    return Plan.from_json({**document, "body": {**document["body"], "actions": [action]}})


def _flip(data: str, at: int, bits: int) -> str:
    raw = bytearray.fromhex(data[2:])
    raw[at] ^= bits
    return "0x" + raw.hex()


def _hold(document: dict[str, Any], bundle: Any) -> None:
    """Whoever made the plan changed a byte and left everything a person reads."""
    actions = document["body"]["actions"]

    @FEW
    @given(st.data())
    def every_changed_byte_is_seen(draw: st.DataObject) -> None:
        number = draw.draw(st.integers(0, len(actions) - 1))
        action = actions[number]
        fields = ["data"] if action["to"] is None else ["data", "to"]
        field = draw.draw(st.sampled_from(fields))
        at = draw.draw(st.integers(0, len(action[field]) // 2 - 2))
        changed = _flip(action[field], at, draw.draw(st.integers(1, 255)))
        with pytest.raises(RenderersDisagree, match=action["id"]):
            second_look(_one(document, number, **{field: changed}), bundle)

    every_changed_byte_is_seen()


def test_the_plan_of_the_vault_reads_the_same_twice_and_no_changed_byte_passes(project: Project) -> None:
    ship = project("vault")
    document, bundle = _plan(ship)
    text = "\n".join(second_look(Plan.from_json(document), bundle))
    assert "deploys src/Registry.sol:Registry at 0x5FbDB2315678afecb367f032d93F642f64180aa3" in text
    assert "grantRole(bytes32,address)" in text
    _hold(document, bundle)
    values = [n for n, action in enumerate(document["body"]["actions"]) if action["kind"] == "call"]
    for number in values:
        with pytest.raises(RenderersDisagree, match="effect"):
            second_look(_one(document, number, value_wei="1"), bundle)
    action = document["body"]["actions"][0]
    assert action["kind"] == "create"
    first = action["args"][0]
    lies: list[tuple[str, Any]] = [
        ("args", [{**first, "value": "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"}]),
        ("args", [{**first, "name": "harmless"}]),
        ("args", []),
        ("address", "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"),
        ("source", "src/Keeper.sol:Keeper"),
        ("effect", {}),
        ("kind", "call"),
    ]
    for field, lie in lies:
        with pytest.raises(RenderersDisagree, match=f"{action['id']}: `{field}`"):
            second_look(_one(document, 0, **{field: lie}), bundle)


def test_an_upgrade_reads_the_same_twice_and_no_changed_byte_passes(project: Project) -> None:
    ship = project("vault")
    ship.deploy()
    ship.edit(
        "ship.toml",
        'source = "src/Vault.sol:Vault"',
        'source = "src/VaultV2.sol:VaultV2"\nupgrade = { call = "initializeV2(address)", args = ["${params.owner}"] }',
    )
    ship.edit("ship.toml", 'version = "1.2.0-rc.1"', 'version = "1.3.0"')
    ship.edit("ship.toml", 'call = "version()(string)"\nequals = "1"', 'call = "version()(string)"\nequals = "2"')
    document, bundle = _plan(ship)
    text = "\n".join(second_look(Plan.from_json(document), bundle))
    assert "calls upgradeToAndCall(address,bytes)" in text
    assert "calls initializeV2(address)" in text
    _hold(document, bundle)
