"""Foundry scripts as units: a library, CREATE2, a factory, values; planned, deployed, proven, and run once. Real forge."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from chains.evm.address import keccak256

SOURCES = {
    "src/System.sol": """
library Sums { function add(uint a, uint b) public pure returns (uint) { return a + b; } }
contract Child { uint public immutable n; constructor(uint n_) { n = n_; } }
contract Factory { Child public last; function make(uint n) external returns (Child) { last = new Child(n); return last; } }
contract Adder { uint public sum; constructor(uint a, uint b) payable { sum = Sums.add(a, b); } function set(uint s) external { sum = s; } }
contract Salted { function hi() external pure returns (uint) { return 1; } }
contract Registry { address public entry; function set(address a) external { entry = a; } }
contract Last { uint public x = 1; }
""",
    "script/Seed.s.sol": """
import "../src/System.sol";
interface Vm {
    function startBroadcast() external;
    function stopBroadcast() external;
    function envAddress(string calldata) external view returns (address);
}
contract Seed {
    Vm constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
    function run() external {
        Registry registry = Registry(vm.envAddress("SHIP_ADDRESS_REGISTRY"));
        vm.startBroadcast();
        Factory factory = new Factory();
        Child child = factory.make(7);
        Adder adder = new Adder{value: 1}(1, 2);
        adder.set(9);
        new Salted{salt: bytes32(uint256(5))}();
        registry.set(address(child));
        payable(address(0xdead)).transfer(3);
        vm.stopBroadcast();
    }
}
""",
}
UNITS = """
[contracts.Registry]
source = "src/System.sol:Registry"

[scripts.Seed]
source = "script/Seed.s.sol:Seed"
after = ["Registry"]

[contracts.Last]
source = "src/System.sol:Last"
after = ["Seed"]
"""
ORDER = [
    "Registry", "Seed.Sums", "Seed.Factory", "Seed.make", "Seed.Adder", "Seed.set", "Seed.Salted", "Seed.set.2", "Seed.send-value-to-0x000000000000000000000000000000000000dEaD", "Last",
]  # fmt: skip


def test_a_script_is_planned_deployed_proven_and_run_once(small: Callable[..., Any]) -> None:
    project = small(UNITS, SOURCES)
    plan = project.plan()
    assert [action.id for action in plan.body.actions] == ORDER
    assert [action.nonce for action in plan.body.actions] == list(range(len(ORDER)))
    by_id = {action.id: action for action in plan.body.actions}
    assert by_id["Seed.Sums"].kind == "create2"
    assert by_id["Seed.Sums"].source == "src/System.sol:Sums"
    (child,) = by_id["Seed.make"].creates
    assert child["source"] == "src/System.sol:Child"
    assert by_id["Seed.Adder"].value_wei == 1
    assert [a["value"] for a in by_id["Seed.Adder"].args] == [1, 2]
    outcome, said = project.deploy()
    assert outcome.exit_code == 0, said
    assert outcome.sent == len(ORDER)
    proven = {proof["action"] for proof in project.record()["proofs"] if not proof["problems"]}
    assert {"Seed.Sums", "Seed.Factory", "Seed.Adder", "Seed.Salted", "Last", "Registry"} <= proven
    with project.chain() as rpc:
        entry = rpc.read(
            "eth_call", [{"to": by_id["Registry"].address, "input": "0x" + keccak256(b"entry()")[:4].hex()}, "latest"]
        )
        assert rpc.read("eth_getCode", [child["address"], "latest"]) != "0x"
    assert entry[-40:] == child["address"][2:].lower()
    again, said = project.deploy()
    assert (again.exit_code, again.sent) == (0, 0), said


def test_plans_of_one_state_are_one_plan(small: Callable[..., Any]) -> None:
    project = small(UNITS, SOURCES)
    first, second = project.plan(), project.plan()
    assert [a.payload_digest for a in first.body.actions] == [a.payload_digest for a in second.body.actions]
    assert first.inputs == second.inputs


def test_a_changed_script_runs_again_only_when_that_is_asked_for(small: Callable[..., Any]) -> None:
    project = small(UNITS, SOURCES)
    project.deploy()
    project.edit("script/Seed.s.sol", "bytes32(uint256(5))", "bytes32(uint256(6))")
    quiet, said = project.deploy()
    assert (quiet.exit_code, quiet.sent) == (0, 0), said
    project.edit("ship.toml", 'source = "script/Seed.s.sol:Seed"', 'source = "script/Seed.s.sol:Seed"\nrerun = true')
    project.edit("ship.toml", '"1.0.0"', '"1.1.0"')
    again, said = project.deploy()
    assert again.exit_code == 0, said
    assert again.sent == 7  # the library is there already


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        pytest.param("adder.set(9);", 'revert("not today");', "not today", id="it reverts"),
        pytest.param(
            "vm.startBroadcast();",
            "VmA(address(vm)).startBroadcast(0x70997970C51812dc3A010C7d01b50e0d17dc79C8);",
            "sends as",
            id="another sender",
        ),
        pytest.param("factory.make(7)", "Child(address(0))", "", id="control"),
    ],
)
def test_what_cannot_be_planned_is_refused_with_the_reason(
    small: Callable[..., Any], old: str, new: str, words: str
) -> None:
    project = small(UNITS, SOURCES)
    project.edit("script/Seed.s.sol", old, new)
    project.edit(
        "script/Seed.s.sol",
        "contract Seed",
        "interface VmA { function startBroadcast(address) external; }\ncontract Seed",
    )
    outcome, said = project.deploy()
    if not words:
        assert outcome.exit_code == 0, said
        return
    assert (outcome.exit_code, outcome.sent) == (2, 0), said
    assert "SHIP-E68" in said
    assert words in said


def test_code_that_was_not_built_for_release_is_refused(small: Callable[..., Any]) -> None:
    project = small(UNITS, SOURCES)
    project.edit(
        "script/Seed.s.sol",
        "registry.set(address(child));",
        'registry.set(address(child)); bytes memory code = hex"6001600c60003960016000f300"; assembly { pop(create(0, add(code, 32), mload(code))) }',
    )
    outcome, said = project.deploy()
    assert (outcome.exit_code, outcome.sent) == (2, 0), said
    assert "not in the bundle" in said


def test_no_program_is_told_the_endpoint_and_forges_cache_is_not_kept(
    small: Callable[..., Any], anvil: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    node = anvil()
    secret = "s3cr3t-key-in-the-path"
    project = small(UNITS, SOURCES)
    monkeypatch.setenv("SECRET_RPC", f"{node.url}/?key={secret}")
    project.write(
        **{"manifests/far.toml": 'schema = 1\nextends = "builtin:local"\n[rpc]\nendpoints = ["env:SECRET_RPC"]\n'}
    )
    seen: list[str] = []
    real = subprocess.Popen

    def watched(command: Any, *args: Any, **kwargs: Any) -> Any:
        seen.append(json.dumps([str(part) for part in command]) + json.dumps(dict(kwargs.get("env") or {})))
        return real(command, *args, **kwargs)

    monkeypatch.setattr(subprocess, "Popen", watched)
    outcome, said = project.deploy("far")
    assert outcome.exit_code == 0, said
    assert any("--fork-url" in command for command in seen)
    assert not any(secret in command for command in seen)
    kept = [p for p in project.root.rglob("*") if p.is_file() and secret in p.read_text(errors="replace")]
    assert kept == []
    assert not (project.root / "broadcast").exists()
