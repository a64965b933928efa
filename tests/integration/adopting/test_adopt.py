"""What was deployed before ``ship`` is taken over when the chain proves it, and only then."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chains.evm.verify import creation
from pipeline.journal import Journal

ALL = {"Register", "Token", "Sum", "UsesSum", "Maker", "FirstPart", "Vessel"}
Files = Callable[[str], Path]


def test_a_foundry_broadcast_is_adopted_whole_and_nothing_is_left_to_deploy(legacy: Any) -> None:
    document = legacy.adopt(legacy.chain.broadcast)
    assert set(document["units"]) == ALL | {"enter"}
    assert document["absent"] == document["open_calls"] == document["unused"] == []
    for name in ALL - {"FirstPart"}:
        assert document["units"][name]["address"].lower() == legacy.chain.addresses[name].lower()
    outcome = legacy.deploy()
    assert outcome["sent"] == 0
    assert {u["state"] for u in outcome["units"].values()} == {"unchanged"}


def test_the_record_says_that_and_on_what_evidence_it_was_adopted(legacy: Any) -> None:
    document = legacy.adopt(legacy.chain.broadcast)
    record = json.loads((legacy.root / document["record"]).read_text())
    assert record["way"] == "adopted"
    evidence = {entry["unit"]: entry["evidence"] for entry in record["adopted"]}
    assert evidence["Register"]["creation"]["transaction"] == legacy.chain.hashes["Register"]
    assert evidence["Token"]["creation"]["way"] == "create2"
    assert evidence["FirstPart"]["creation"]["way"] == "trace"
    assert evidence["Vessel"]["slots"]["implementation"].lower() == legacy.chain.addresses["Box"].lower()
    assert evidence["enter"]["transaction"] == legacy.chain.hashes["set"]
    assert legacy.ship("record", "verify", "--chain", "live").exit_code == 0


def test_a_changed_implementation_is_then_an_upgrade_and_nothing_else(legacy: Any) -> None:
    legacy.adopt(legacy.chain.broadcast)
    legacy.edit("src/Box.sol", "content = content_;", "content = content_ + 1;")
    outcome = legacy.deploy()
    assert outcome["sent"] == 2  # implementation and upgrade
    assert outcome["units"]["Vessel"]["address"].lower() == legacy.chain.addresses["Vessel"].lower()
    assert {n for n, u in outcome["units"].items() if u["transaction"]} == {"Vessel"}


def test_hardhat_deploy_files_are_adopted(legacy: Any, fixture_files: Files) -> None:
    document = legacy.adopt(fixture_files("hardhat-deploy") / "localhost")
    assert set(document["units"]) == {"Register", "Token", "Sum", "UsesSum", "Vessel"}
    assert document["absent"] == ["Maker", "FirstPart"]
    assert document["open_calls"] == ["enter"]


def test_an_ignition_deployment_is_adopted_with_its_calls(legacy: Any, fixture_files: Files) -> None:
    document = legacy.adopt(fixture_files("ignition") / "deployments" / "chain-31337")
    assert set(document["units"]) == {"Register", "Token", "Vessel", "enter"}


def test_an_openzeppelin_manifest_has_no_names_and_its_proxy_is_found_by_code(
    legacy: Any, fixture_files: Files
) -> None:
    document = legacy.adopt(fixture_files("openzeppelin"))
    assert set(document["units"]) == {"Vessel"}
    assert document["units"]["Vessel"]["effect"]["implementation"].lower() == legacy.chain.addresses["Box"].lower()


@pytest.mark.parametrize("suffix", ["json", "toml", "csv"])
def test_a_plain_list_is_adopted_and_the_node_is_asked_for_the_transactions(legacy: Any, suffix: str) -> None:
    pairs = {name: legacy.chain.addresses[name] for name in ("Register", "Token", "Vessel")}
    text = {
        "json": json.dumps({"chainId": 31337, **pairs}),
        "toml": "\n".join(f'{name} = "{address}"' for name, address in pairs.items()),
        "csv": "name,address\n" + "\n".join(f"{name},{address}" for name, address in pairs.items()),
    }[suffix]
    file = legacy.root / f"addresses.{suffix}"
    file.write_text(text)
    document = legacy.adopt(file)
    assert set(document["units"]) == set(pairs)
    found = document["units"]["Register"]["evidence"]["creation"]
    assert found["transaction"] == legacy.chain.hashes["Register"]


def test_a_unit_is_named_by_hand_with_as(legacy: Any) -> None:
    document = legacy.adopt("--as", f"Register={legacy.chain.addresses['Register']}")
    assert set(document["units"]) == {"Register"}


def test_more_is_adopted_later_beside_what_was(legacy: Any) -> None:
    legacy.adopt(legacy.list_of("Register"))
    document = legacy.adopt(legacy.list_of("Register", "Token"))
    assert set(document["units"]) == {"Token"}
    assert document["record"] == "releases/v2.0.0/live.2.json"
    record = json.loads((legacy.root / document["record"]).read_text())
    assert set(record["units"]) == {"Register", "Token"}


@pytest.mark.parametrize("rows", range(1, 5))
def test_an_adoption_that_is_killed_is_taken_up_by_the_next_run(
    legacy: Any, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    append, left = Journal.append, [rows]

    def killed(self: Journal, kind: str, data: Any) -> Any:
        if left[0] == 0:
            raise KeyboardInterrupt
        left[0] -= 1
        return append(self, kind, data)

    files = legacy.list_of("Register", "Token")
    with monkeypatch.context() as patch:
        patch.setattr(Journal, "append", killed)
        assert legacy.ship("adopt", "--chain", "live", str(files)).exit_code == 3
    result = legacy.ship("adopt", "--chain", "live", str(files))
    assert result.exit_code == 0 or "not adopted yet" in result.output  # all of it was written
    plan = legacy.ship("plan", "--chain", "live", "--json")
    changes = {u["name"]: u["change"] for u in json.loads(plan.stdout)["body"]["units"]}
    assert changes["Register"] == changes["Token"] == "unchanged"


# -- what is not proven is refused -----------------------------------------------------------------------------------


def test_other_constructor_arguments_are_refused_with_the_difference(legacy: Any) -> None:
    legacy.edit("ship.toml", '["${deployer}", 30]', '["${deployer}", 31]')
    said = legacy.refused(legacy.chain.broadcast)
    assert "share_ is 30 on chain and 31 in ship.toml" in said


def test_other_code_is_refused_by_name_and_nothing_is_taken(legacy: Any) -> None:
    legacy.edit("src/Legacy.sol", "share = share_;", "share = share_ + 1 - 1;")
    said = legacy.refused(legacy.chain.broadcast, "--as", f"Register={legacy.chain.addresses['Register']}")
    assert "Register at 0x" in said
    assert "its runtime code" in said or "other creation code" in said


def test_a_proxy_of_another_kind_is_refused(legacy: Any) -> None:
    legacy.edit("ship.toml", 'proxy = "uups"', 'proxy = "transparent"')
    said = legacy.refused("--as", f"Vessel={legacy.chain.addresses['Vessel']}")
    assert "its slots are those of a uups proxy" in said


def test_other_immutables_of_an_implementation_are_refused(legacy: Any) -> None:
    legacy.edit("ship.toml", "args = [100]", "args = [101]")
    said = legacy.refused(legacy.chain.broadcast, "--skip", "FirstPart")
    assert "limit_ is 100 on chain and 101 in ship.toml" in said


def test_a_proxy_that_does_not_delegate_is_refused(legacy: Any) -> None:
    chain = legacy.chain
    chain.rpc.read("anvil_setCode", [chain.addresses["Vessel"], "0x60015f5260205ff3"])  # answers 1 to everything
    said = legacy.refused("--as", f"Vessel={chain.addresses['Vessel']}")
    assert "it does not delegate calls" in said


def test_an_address_without_code_is_refused(legacy: Any) -> None:
    assert "there is no code" in legacy.refused("--as", "Register=0x00000000000000000000000000000000000000f1")


def test_two_that_fit_equally_well_are_refused_until_one_is_named(legacy: Any) -> None:
    twin = legacy.chain.run_script(legacy.root)
    entries = [e for e in json.loads(twin.read_text())["transactions"] if e["contractName"] == "UsesSum"]
    other = entries[0]["contractAddress"]
    file = legacy.root / "both.csv"
    file.write_text(f"name,address\na,{legacy.chain.addresses['UsesSum']}\nb,{other}\n")
    sums = ("--as", f"Sum={legacy.chain.addresses['Sum']}")
    said = legacy.refused(file, *sums)
    assert "several fit" in said
    assert set(legacy.adopt(file, *sums, "--as", f"UsesSum={other}")["units"]) == {"Sum", "UsesSum"}


def test_a_file_of_another_chain_is_refused(legacy: Any, fixture_files: Files) -> None:
    folder = fixture_files("hardhat-deploy") / "localhost"
    (folder / ".chainId").write_text("8453")
    assert "is about chain 8453, the target live is chain 31337" in legacy.refused(folder)


# -- a node that shows less ------------------------------------------------------------------------------------------


@pytest.fixture
def modest(monkeypatch: pytest.MonkeyPatch) -> None:
    """A node without traces and without Otterscan's methods, as most public ones are."""
    optional = creation._optional
    monkeypatch.setattr(
        creation,
        "_optional",
        lambda rpc, method, params: optional(rpc, method, params) if method == "eth_call" else None,
    )


def test_without_its_creation_a_contract_is_adopted_by_code_and_the_record_says_what_is_unproven(
    legacy: Any, modest: None
) -> None:
    document = legacy.adopt(legacy.list_of("Register", "Token"))
    register = document["units"]["Register"]
    assert register["evidence"]["creation"] is None
    assert [a["name"] for a in register["evidence"]["args_unproven"]] == ["owner_", "share_"]
    assert "init_code" not in register["effect"]
    assert "unproven" in register["notes"][0]
    token = document["units"]["Token"]
    assert token["evidence"]["reexecution"] == "match"  # its arguments are immutables, which are reproduced
    plan = legacy.ship("plan", "--chain", "live", "--json")
    assert plan.exit_code == 0, plan.output
    changes = {u["name"]: u["change"] for u in json.loads(plan.stdout)["body"]["units"]}
    assert changes["Register"] == changes["Token"] == "unchanged"


def test_arguments_that_change_after_such_an_adoption_are_not_overlooked(legacy: Any, modest: None) -> None:
    legacy.adopt(legacy.list_of("Register"))
    legacy.edit("ship.toml", '["${deployer}", 30]', '["${deployer}", 31]')
    result = legacy.ship("plan", "--chain", "live")
    assert result.exit_code == 2
    assert "its arguments are not those it was adopted with" in result.output


def test_immutables_that_nothing_proves_are_refused(legacy: Any, modest: None) -> None:
    said = legacy.refused("--as", f"FirstPart={_part(legacy)}")
    assert "its immutables are not proven" in said  # it keeps who made it, and that was not our signer


def test_an_implementation_that_keeps_its_own_address_is_reproduced_at_that_address(legacy: Any, modest: None) -> None:
    document = legacy.adopt(legacy.list_of("Vessel"))
    assert document["units"]["Vessel"]["evidence"]["implementation"]["reexecution"] == "match"


def _part(legacy: Any) -> str:
    entries = json.loads(legacy.chain.broadcast.read_text())["transactions"]
    return str(next(e for e in entries if e["contractName"] == "Maker")["additionalContracts"][0]["address"])


# -- several systems on one chain ------------------------------------------------------------------------------------


def test_two_systems_on_one_chain_live_side_by_side_under_their_targets_names(legacy: Any) -> None:
    first = legacy.root / "first.json"
    shutil.copy(legacy.chain.broadcast, first)
    legacy.edit("script/Deploy.s.sol", 'keccak256("legacy.token")', 'keccak256("legacy.token.2")')
    second = legacy.chain.run_script(legacy.root)
    one, two = legacy.adopt(first), legacy.adopt(second, chain="other")
    assert one["units"]["Vessel"]["address"] != two["units"]["Vessel"]["address"]
    assert one["units"]["Sum"]["address"] == two["units"]["Sum"]["address"]  # one library serves both
    assert legacy.deploy("live")["sent"] == legacy.deploy("other")["sent"] == 0
    assert (legacy.root / "releases/v2.0.0/live.json").exists()
    assert (legacy.root / "releases/v2.0.0/other.json").exists()
