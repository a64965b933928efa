"""Upgrades are judged before anybody approves them: storage, initializers, a way back. OpenZeppelin 5, anvil, forge."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.manifest.errors import ManifestInvalid
from pipeline.manifest.project import load_project

PACKAGES = Path(__file__).resolve().parents[3] / "examples" / "vault" / "node_modules"
FOUNDRY = """[profile.default]
solc = "0.8.37"
evm_version = "cancun"
libs = ["node_modules"]
auto_detect_remappings = false
remappings = ["@openzeppelin/=node_modules/@openzeppelin/"]
"""
HEAD = """// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;
import {ERC1967Proxy} from "@openzeppelin/contracts/proxy/ERC1967/ERC1967Proxy.sol";
import {TransparentUpgradeableProxy} from "@openzeppelin/contracts/proxy/transparent/TransparentUpgradeableProxy.sol";
import {UUPSUpgradeable} from "@openzeppelin/contracts-upgradeable/proxy/utils/UUPSUpgradeable.sol";
import {OwnableUpgradeable} from "@openzeppelin/contracts-upgradeable/access/OwnableUpgradeable.sol";
"""
BOX = """
contract Box is UUPSUpgradeable, OwnableUpgradeable {
    uint256 public value;
    uint256[49] private __gap;
    constructor() { _disableInitializers(); }
    function initialize(address owner_) external initializer { __Ownable_init(owner_); }
    function _authorizeUpgrade(address) internal override onlyOwner {}
    function version() external pure returns (uint256) { return 1; }
    // more
}
"""
UNITS = """
[contracts.Box]
source = "src/Box.sol:Box"
proxy = "uups"
initialize = { call = "initialize(address)", args = ["${deployer}"] }
"""


@pytest.fixture
def box(small: Callable[..., Any]) -> Any:
    """A UUPS box, deployed as 1.0.0; ``change`` edits it and moves on to 1.1.0."""
    assert PACKAGES.is_dir(), "run scripts/setup: the vault lacks its npm packages"
    project = small(UNITS, {"src/Box.sol": HEAD + BOX}, foundry=FOUNDRY)
    (project.root / "node_modules").symlink_to(PACKAGES)
    outcome, said = project.deploy()
    assert outcome.exit_code == 0, said
    assert "nobody can initialize the proxy again, nor the bare implementation" in said
    project.edit("ship.toml", '"1.0.0"', '"1.1.0"')
    project.edit("src/Box.sol", "return 1;", "return 2;")
    return project


def refused(project: Any) -> str:
    outcome, said = project.deploy()
    assert (outcome.exit_code, outcome.sent) == (2, 0), said
    assert "SHIP-U20" in said
    return str(said)


def released(project: Any) -> str:
    outcome, said = project.deploy()
    assert outcome.exit_code == 0, said
    assert outcome.sent == 2
    return str(said)


def test_a_sound_upgrade_is_proven_sound(box: Any) -> None:
    box.edit("src/Box.sol", "uint256[49] private __gap;", "uint256 public more; uint256[48] private __gap;")
    said = released(box)
    assert "the storage layout goes on from the live one" in said
    assert "can be upgraded again by the same authority, and back" in said


def test_moved_storage_is_refused_with_its_place(box: Any) -> None:
    box.edit("src/Box.sol", "uint256 public value;", "address public first; uint256 public value;")
    said = refused(box)
    assert "Box (layout): Box.value: was at slot 0, is at slot 1" in said
    assert 'unsafe-allow = { layout = "the reason" }' in said


def test_a_gap_that_does_not_shrink_is_refused(box: Any) -> None:
    box.edit("src/Box.sol", "uint256[49] private __gap;", "uint256 public more; uint256[49] private __gap;")
    assert "so its length must be 48" in refused(box)


def test_what_is_accepted_needs_a_reason_and_is_recorded_with_it(box: Any) -> None:
    box.edit("src/Box.sol", "uint256 public value;", "address public first; uint256 public value;")
    box.edit("ship.toml", 'proxy = "uups"', 'proxy = "uups"\nunsafe-allow = { layout = "nothing was ever stored" }')
    said = released(box)
    assert "reason: nothing was ever stored" in said
    gate = next(g for g in box.record("v1.1.0")["gates"] if g["name"] == "layout")
    assert any("Box.value" in d and "nothing was ever stored" in d for d in gate["details"])


@pytest.mark.parametrize(
    "allowed", ['{ layout = "" }', '{ layout = "yes" }', '{ storage = "it is fine so" }', '["layout"]']
)
def test_unsafe_allow_takes_known_findings_with_a_reason(box: Any, allowed: str) -> None:
    box.edit("ship.toml", 'proxy = "uups"', f'proxy = "uups"\nunsafe-allow = {allowed}')
    with pytest.raises(ManifestInvalid):
        load_project(box.root)


def test_an_upgrade_that_nobody_could_follow_is_refused(box: Any) -> None:
    box.edit("src/Box.sol", "internal override onlyOwner {}", 'internal override { revert("sealed"); }')
    said = refused(box)
    assert "Box (no-way-back)" in said
    assert 'an upgrade to another implementation by the same authority would fail: reverted: "sealed"' in said


def test_an_upgrade_without_upgrade_functions_is_refused(box: Any) -> None:
    box.edit("src/Box.sol", "contract Box is UUPSUpgradeable, OwnableUpgradeable", "contract Box is OwnableUpgradeable")
    box.edit("src/Box.sol", "function _authorizeUpgrade(address) internal override onlyOwner {}", "")
    outcome, said = box.deploy()
    assert (outcome.exit_code, outcome.sent) == (2, 0)
    assert "could never be upgraded again" in said


def test_an_implementation_anybody_can_initialize_is_refused(box: Any) -> None:
    box.edit("src/Box.sol", "constructor() { _disableInitializers(); }", "")
    said = refused(box)
    assert "anybody can call initialize(address) on the bare implementation" in said
    assert "_disableInitializers()" in said


def test_a_reinitializer_left_to_strangers_is_refused_and_part_of_the_upgrade_is_right(box: Any) -> None:
    box.edit("src/Box.sol", "// more", "function initializeV2(uint256 v) external reinitializer(2) { value = v; }")
    said = refused(box)
    assert "anybody can call initializeV2(uint256) on the proxy after this plan" in said
    assert 'upgrade = { call = "initializeV2(uint256)"' in said
    box.edit("ship.toml", 'proxy = "uups"', 'proxy = "uups"\nupgrade = { call = "initializeV2(uint256)", args = [7] }')
    released(box)


PLAIN = """
contract ERC1967Proxy {
    constructor(address implementation, bytes memory) payable {
        assembly { sstore(0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc, implementation) }
    }
    fallback() external payable {
        assembly {
            calldatacopy(0, 0, calldatasize())
            let done := delegatecall(gas(), sload(0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc), 0, calldatasize(), 0, 0)
            returndatacopy(0, 0, returndatasize())
            if iszero(done) { revert(0, returndatasize()) }
            return(0, returndatasize())
        }
    }
}
contract Init { modifier initializer() { _; } }
contract Box is Init {
    address public owner;
    constructor() { owner = address(1); }
    function initialize(address owner_) external initializer { require(owner == address(0), "already initialized"); owner = owner_; }
}
"""


def test_a_first_deployment_that_leaves_initialize_to_strangers_is_refused(small: Callable[..., Any]) -> None:
    units = UNITS.replace('initialize = { call = "initialize(address)", args = ["${deployer}"] }\n', "")
    said = refused(small(units, {"src/Box.sol": PLAIN}))
    assert "anybody can call initialize(address) on the proxy" in said
    assert 'set `initialize = { call = "initialize(address)"' in said


def test_without_the_live_bundle_the_gate_refuses_and_its_absence_is_said_without_the_gate(box: Any) -> None:
    shutil.rmtree(box.root / ".ship" / "bundles")
    box.edit("src/Box.sol", "uint256 public value;", "address public first; uint256 public value;")
    box.edit("ship.toml", "[contracts.Box]", "[gates]\nlayout = {}\n[contracts.Box]")
    said = refused(box)
    assert "storage layouts could not be compared" in said
    box.edit("ship.toml", "[gates]\nlayout = {}\n", "")
    assert "storage layouts could not be compared" in released(box)


def test_with_the_gate_the_verdict_is_in_the_record(box: Any) -> None:
    box.edit("ship.toml", "[contracts.Box]", "[gates]\nlayout = {}\n[contracts.Box]")
    released(box)
    gate = next(g for g in box.record("v1.1.0")["gates"] if g["name"] == "layout")
    assert gate["status"] == "passed"
    assert json.dumps(gate).count("the storage layout goes on") == 1


def test_a_transparent_proxy_is_judged_the_same(small: Callable[..., Any]) -> None:
    units = UNITS.replace('"uups"', '"transparent"')
    project = small(units, {"src/Box.sol": HEAD + BOX}, foundry=FOUNDRY)
    (project.root / "node_modules").symlink_to(PACKAGES)
    outcome, said = project.deploy()
    assert outcome.exit_code == 0, said
    project.edit("ship.toml", '"1.0.0"', '"1.1.0"')
    project.edit("src/Box.sol", "return 1;", "return 2;")
    assert "can be upgraded again by the same authority, and back" in released(project)


def test_planning_alone_judges_too(box: Any) -> None:
    from pipeline.upgrade_safety import UnsafeUpgrade

    box.edit("src/Box.sol", "uint256 public value;", "address public first; uint256 public value;")
    with pytest.raises(UnsafeUpgrade, match="slot 1"):
        box.plan()
