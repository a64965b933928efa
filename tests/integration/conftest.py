"""Real forge, solc and Slither on small projects. In CI a missing tool is a failure; elsewhere it skips."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from chains.errors import Refused
from chains.tools import require_tool
from pipeline.building import Built, Recipe, build_bundle

Project = Callable[..., Path]

COUNTER = """// SPDX-License-Identifier: MIT
pragma solidity ^0.8.0;
contract Counter {
    uint256 public immutable step;
    uint256 public total;
    constructor(uint256 step_) { step = step_; }
    function add(uint256 times) external { total += times * step; }
}
"""
COUNTER_TEST = """// SPDX-License-Identifier: MIT
pragma solidity ^0.8.0;
import {Counter} from "../src/Counter.sol";
contract CounterTest {
    Counter private counter;
    function setUp() public { counter = new Counter(2); }
    function test_adds_steps() public { counter.add(3); require(counter.total() == 6, "six"); }
    function testFuzz_adds_any_number(uint64 times) public {
        counter.add(times);
        require(counter.total() == uint256(times) * 2, "twice");
    }
}
"""
FOUNDRY = '[profile.default]\nsolc = "0.8.37"\nevm_version = "cancun"\n'


def _need(name: str) -> None:
    try:
        require_tool(name, Path.cwd())
    except Refused as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(error.cause)


@pytest.fixture(scope="session")
def forge() -> None:
    _need("forge")


@pytest.fixture(scope="session")
def slither(forge: None) -> None:
    _need("slither")


@pytest.fixture
def project(forge: None, tmp_path: Path) -> Project:
    """Makes a Foundry project of the given files; the counter and its test when none are given."""

    def make(files: dict[str, str] | None = None, *, name: str = "project", foundry: str = FOUNDRY) -> Path:
        root = tmp_path / name
        for path, text in (files or {"src/Counter.sol": COUNTER, "test/Counter.t.sol": COUNTER_TEST}).items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)
        (root / "foundry.toml").write_text(foundry)
        return root

    return make


@pytest.fixture
def make_bundle() -> Callable[..., Built]:
    def make(root: Path, *wanted: str) -> Built:
        return build_bundle(Recipe("test", root, root / ".ship", wanted))

    return make
