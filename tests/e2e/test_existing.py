"""Real projects: adopting a whole system under a second name, and reading an address that a factory makes."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.e2e


def test_a_whole_system_is_exported_adopted_by_another_target_and_is_then_complete(
    project: Callable[[str], Any],
) -> None:
    """The vault has a uups, a transparent and a beacon proxy, a linked library and a timelock, all of OpenZeppelin's."""
    ship = project("vault")
    units = ship.deploy()["units"]
    url = ship("localnet", "up").stdout.split()[3]
    local = tomllib.loads((ship.root / "manifests/local.toml").read_text())
    params = "\n".join(f"{key} = {json.dumps(value)}" for key, value in local.get("params", {}).items())
    (ship.root / "manifests/second.toml").write_text(
        f'schema = 1\nextends = "builtin:local"\n[rpc]\nendpoints = ["{url}"]\n[params]\n{params}\n'
    )
    ship("export", "--out", "book.json")
    book = json.loads((ship.root / "book.json").read_text())["targets"]["local"]["contracts"]
    assert {entry["proxy"] for entry in book.values()} == {"none", "uups", "transparent", "beacon"}
    (ship.root / "list.json").write_text(json.dumps({name: entry["address"] for name, entry in book.items()}))
    adopted = json.loads(ship("adopt", "--chain", "second", "--json", "list.json").stdout)
    assert {n: u["address"] for n, u in adopted["units"].items()} == {n: e["address"] for n, e in book.items()}
    assert all(u["notes"] == [] for u in adopted["units"].values())
    policy = adopted["units"]["FeePolicy"]["evidence"]
    assert policy["proxy_code"] == "match"
    assert policy["slots"]["admin"] == book["FeePolicy"]["admin"]
    done = json.loads(ship("deploy", "--chain", "second", "--json").stdout)
    assert done["sent"] == 0
    assert {n: u["address"] for n, u in done["units"].items() if u["address"]} == {
        n: u["address"] for n, u in units.items() if u["address"]
    }
    verified = json.loads(ship("verify", "--chain", "second", "--json").stdout)
    assert verified["ok"], verified


def test_the_address_of_a_pair_is_read_in_the_plan_that_makes_it(project: Callable[[str], Any]) -> None:
    ship = project("uniswap-v2")
    pair = (
        '{ read = "getPair(address,address)(address)", on = "${contracts.UniswapV2Factory}", '
        'args = ["${contracts.TokenA}", "${contracts.TokenB}"] }'
    )
    ship.edit(
        "ship.toml",
        "[gates]",
        f'[calls.sync]\nto = {pair}\ncall = "sync()"\nafter = ["pair"]\n\n[gates]\n\n'
        f'[checks.pairFactory]\non = {pair}\ncall = "factory()(address)"\nequals = "${{contracts.UniswapV2Factory}}"\n',
    )
    document = ship.deploy()
    assert document["outcome"] == "done"
    rows = [row for row in ship.journal() if row["kind"].startswith("tx.")]
    events = [(row["kind"], row["data"]["action"]) for row in rows]
    assert events.index(("tx.reserved", "sync")) > events.index(("tx.mined", "pair"))
    assert ship.deploy()["sent"] == 0
