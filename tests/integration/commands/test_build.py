"""``ship build`` and ``ship test``."""

from __future__ import annotations

import json


def test_a_build_says_what_it_made_and_where(released):
    document = json.loads(released.ship("build", "--json").stdout)
    assert document["compiled"] is False
    assert (released.root / document["path"] / "bundle.json").exists()
    assert document["path"] == f".ship/bundles/{document['bundle']}"
    sizes = {a["source"]: a["runtime_bytes"] for a in document["artifacts"]}
    assert sizes["src/Counter.sol:Counter"] > sizes["src/ERC1967Proxy.sol:ERC1967Proxy"] > 0
    shown = released.ship("build").stdout
    assert document["bundle"] in shown
    assert "Registry" in shown


def test_a_project_without_gates_is_told_so(released):
    result = released.ship("test")
    assert result.exit_code == 0
    assert "was not tested" in result.stdout


def test_a_failing_gate_is_a_refusal_with_a_document(copy):
    copy.edit("ship.toml", "[checks.count]", "[gates]\ntests = {}\n\n[checks.count]")
    (copy.root / "test").mkdir()
    (copy.root / "test/Counter.t.sol").write_text(
        "// SPDX-License-Identifier: MIT\npragma solidity 0.8.37;\n"
        'contract CounterTest { function test_it_fails() external pure { require(false, "as it should"); } }\n'
    )
    result = copy.ship("test", "--json")
    assert result.exit_code == 2
    document = json.loads(result.stdout)
    assert document["passed"] is False
    assert [(g["name"], g["status"]) for g in document["gates"]] == [("tests", "failed")]
    assert "as it should" in result.stderr


def test_a_project_that_does_not_compile(copy):
    copy.edit("src/Counter.sol", "count += 1;", "count += ;")
    result = copy.ship("build", "--json")
    assert result.exit_code == 2
    assert json.loads(result.stdout)["error"]["code"] == "SHIP-B11"
