"""What the gates promise, with real forge and Slither on planted faults."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from chains.evm.foundry import Workspace
from chains.processes import ProcessGroup, run_tool
from chains.tools import base_environment
from pipeline.building import BuildChanged, Built
from pipeline.bundle import Bundle
from pipeline.gates.base import Gate, GateContext, GateError, GateResult, Verdict
from pipeline.gates.baseline import BaselineInvalid
from pipeline.gates.forge_test import ForgeTest, ForgeTestConfig
from pipeline.gates.runner import GatesFailed, run_gates
from pipeline.gates.slither import Slither, SlitherConfig

Project = Callable[..., Path]
MakeBundle = Callable[..., Built]

HEAD = "// SPDX-License-Identifier: MIT\npragma solidity ^0.8.0;\n"
COUNTER = HEAD + "contract C { uint256 public n; function add(uint256 a) external { n += a % 7; } }\n"
BANK = (
    HEAD
    + """contract Bank {
    mapping(address => uint256) public balance;
    function deposit() external payable { balance[msg.sender] += msg.value; }
    function withdraw() external {
        (bool ok,) = msg.sender.call{value: balance[msg.sender]}("");
        require(ok);
        balance[msg.sender] = 0;
    }
}
"""
)
IN_DEPENDENCY = {
    "lib/dep/Bank.sol": BANK,
    "src/Mine.sol": HEAD + 'import {Bank} from "../lib/dep/Bank.sol";\ncontract Mine { Bank public bank; }\n',
}


def suite(body: str) -> str:
    return (
        HEAD
        + 'import {C} from "../src/C.sol";\ncontract CTest { C c; address[] t;\n'
        + "function setUp() public { c = new C(); t.push(address(c)); }\n"
        + "function targetContracts() public view returns (address[] memory) { return t; }\n"
        + body
        + "}\n"
    )


GOOD = suite(
    "function test_starts_at_zero() public view { require(c.n() == 0); }\n"
    "function testFuzz_adds(uint8 a) public { c.add(a); require(c.n() == a % 7); }\n"
    "function invariant_small() public view { require(c.n() < 10000); }\n"
)


def judge(gate: Gate, built: Built, *, reuse: bool = True) -> GateResult:
    (result,) = run_gates([gate], built, reuse=reuse)
    return result


def failure(gate: Gate, built: Built) -> GatesFailed:
    with pytest.raises(GatesFailed) as caught:
        run_gates([gate], built)
    return caught.value


# ---- tests


def test_passing_tests_are_counted_by_kind_and_their_bytes_compared(project: Project, make_bundle: MakeBundle) -> None:
    result = judge(ForgeTest(), make_bundle(project({"src/C.sol": COUNTER, "test/C.t.sol": GOOD})))
    assert result.summary == "3 tests passed (1 unit, 1 fuzz, 1 invariant; fuzz seed 0x5eed)"
    assert result.details == ("the tests ran against the bundle's own bytes (contracts compared: 1)",)
    assert len(result.judged) == 64
    assert [path.name for path in result.files if path.is_file()] == ["forge-test.json"]


def test_a_test_run_leaves_the_working_tree_alone(project: Project, make_bundle: MakeBundle) -> None:
    bad = suite("function testFuzz_small(uint256 a) public pure { require(a < 1000); }")
    root = project({"src/C.sol": COUNTER, "test/C.t.sol": bad})
    failure(ForgeTest(), make_bundle(root))
    assert sorted(path.name for path in root.iterdir()) == [".ship", "foundry.toml", "src", "test"]


def test_failures_are_shown_with_reason_and_counterexample(project: Project, make_bundle: MakeBundle) -> None:
    bad = suite(
        'function test_unit() public view { require(c.n() == 1, "n is not one"); }\n'
        'function testFuzz_small(uint256 a) public pure { require(a < 1000, "too big"); }\n'
        'function invariant_low() public view { require(c.n() < 5, "n grew"); }\n'
        "function test_good() public {}\n"
    )
    error = failure(ForgeTest(), make_bundle(project({"src/C.sol": COUNTER, "test/C.t.sol": bad})))
    assert error.exit_code == 2
    assert "3 of 4 tests failed" in error.cause
    assert "test_unit(): n is not one" in error.cause
    assert "testFuzz_small(uint256): too big; counterexample: args (" in error.cause
    assert "invariant_low(): n grew; counterexample: add(" in error.cause


def test_no_tests_is_a_failure(project: Project, make_bundle: MakeBundle) -> None:
    assert "no tests" in failure(ForgeTest(), make_bundle(project({"src/C.sol": COUNTER}))).cause


def test_only_skipped_tests_is_a_failure(project: Project, make_bundle: MakeBundle) -> None:
    skipping = HEAD + (
        "interface Vm { function skip(bool) external; }\n"
        'contract T { function test_x() public { Vm(address(uint160(uint256(keccak256("hevm cheat code"))))).skip(true); } }'
    )
    error = failure(ForgeTest(), make_bundle(project({"src/C.sol": COUNTER, "test/T.t.sol": skipping})))
    assert "no test ran, 1 skipped" in error.cause


def test_a_broken_set_up_is_a_failure(project: Project, make_bundle: MakeBundle) -> None:
    broken = HEAD + 'contract T { function setUp() public { revert("no ground"); } function test_x() public {} }'
    assert (
        "no ground" in failure(ForgeTest(), make_bundle(project({"src/C.sol": COUNTER, "test/T.t.sol": broken}))).cause
    )


def test_tests_that_do_not_compile_are_a_failure(project: Project, make_bundle: MakeBundle) -> None:
    built = make_bundle(project({"src/C.sol": COUNTER, "test/T.t.sol": HEAD + "contract T { uint256 x = nowhere; }"}))
    error = failure(ForgeTest(), built)
    assert "could not be run" in error.cause
    assert "Undeclared identifier" in error.cause


def test_the_fuzz_seed_is_ours_unless_configured(project: Project, make_bundle: MakeBundle) -> None:
    files = {"src/C.sol": COUNTER, "test/C.t.sol": GOOD}
    own = '[profile.default]\nsolc = "0.8.37"\n[fuzz]\nseed = "0x77"\nruns = 3\n'
    built = make_bundle(project(files, foundry=own))
    result = judge(ForgeTest(), built)
    assert "fuzz seed 0x77" in result.summary
    (kept,) = result.files
    (tests,) = json.loads(kept.read_bytes()).values()
    assert (
        tests["test_results"]["testFuzz_adds(uint8)"]["kind"]["Fuzz"]["runs"] == 3
    )  # the project's other settings hold
    assert "fuzz seed 0x9" in judge(ForgeTest(ForgeTestConfig(fuzz_seed=9)), built).summary


def test_a_pass_over_the_same_bytes_is_not_run_again(project: Project, make_bundle: MakeBundle) -> None:
    root = project({"src/C.sol": COUNTER, "test/C.t.sol": GOOD})
    first = judge(ForgeTest(), make_bundle(root))
    began_s = time.monotonic()
    second = judge(ForgeTest(), make_bundle(root))
    assert (first.earlier, second.earlier) == (False, True)
    assert (second.judged, second.summary) == (first.judged, first.summary)
    assert time.monotonic() - began_s < 0.5


def test_a_changed_test_or_helper_is_run_again(project: Project, make_bundle: MakeBundle) -> None:
    helper = HEAD + "library H { function zero() internal pure returns (uint256) { return 0; } }"
    using = HEAD + (
        'import {C} from "../src/C.sol"; import {H} from "../lib/dep/H.sol";\n'
        "contract T { function test_x() public { require(new C().n() == H.zero()); } }"
    )
    root = project({"src/C.sol": COUNTER, "test/T.t.sol": using, "lib/dep/H.sol": helper})
    built = make_bundle(root)
    assert judge(ForgeTest(), built).status == "passed"
    (root / "lib/dep/H.sol").write_text(helper.replace("return 0", "return 1"))
    assert not make_bundle(root).fresh  # no source of the bundle changed
    assert "1 of 1 tests failed" in failure(ForgeTest(), built).cause


def test_a_failure_is_always_looked_at_again(project: Project, make_bundle: MakeBundle) -> None:
    bad = suite("function test_x() public pure { require(false); }")
    built = make_bundle(project({"src/C.sol": COUNTER, "test/C.t.sol": bad}))
    for _ in range(2):
        assert not failure(ForgeTest(), built).results[0].earlier


def test_a_test_that_reads_its_environment_is_run_every_time(project: Project, make_bundle: MakeBundle) -> None:
    reading = HEAD + (
        "interface Vm { function envOr(string calldata, uint256) external view returns (uint256); }\n"
        'contract T { function test_x() public view { Vm(address(uint160(uint256(keccak256("hevm cheat code")))))'
        '.envOr("X", uint256(1)); } }'
    )
    built = make_bundle(project({"src/C.sol": COUNTER, "test/T.t.sol": reading}))
    assert [judge(ForgeTest(), built).earlier for _ in range(2)] == [False, False]


def test_tests_over_other_bytes_than_the_bundles_fail(project: Project, make_bundle: MakeBundle) -> None:
    """A test file that only an older compiler takes makes forge compile the contract again, with that compiler."""
    contract = (
        HEAD.replace("^0.8.0", ">=0.6.0")
        + "contract C { function n() external pure returns (uint256) { return 1; } }\n"
    )
    test = HEAD.replace("^0.8.0", "=0.6.6") + (
        'import "../src/C.sol";\ncontract T { function test_x() public { require(new C().n() == 1); } }\n'
    )
    built = make_bundle(project({"src/C.sol": contract, "test/T.t.sol": test}, foundry="[profile.default]\n"))
    assert built.bundle.artifact("C").compiler.startswith("0.8.37")
    error = failure(ForgeTest(), built)
    assert "tested bytes differ from the bundle" in error.cause
    assert "src/C.sol:C" in error.cause


def test_sources_that_changed_since_the_build_are_refused(project: Project, make_bundle: MakeBundle) -> None:
    root = project({"src/C.sol": COUNTER, "test/C.t.sol": GOOD})
    first = make_bundle(root)
    (root / "src/C.sol").write_text(COUNTER.replace("% 7", "% 5"))
    make_bundle(root)  # another run builds the new sources
    with pytest.raises(BuildChanged):
        run_gates([ForgeTest()], first)


# ---- slither


def test_a_planted_reentrancy_fails(project: Project, make_bundle: MakeBundle, slither: None) -> None:
    error = failure(Slither(), make_bundle(project({"src/Bank.sol": BANK})))
    assert "High reentrancy-eth at src/Bank.sol#L6-L10" in error.cause
    assert "id " in error.cause
    result = error.results[0]
    sarif = json.loads(next(path for path in result.files if path.suffix == ".sarif").read_bytes())
    assert "error" in {found["level"] for found in sarif["runs"][0]["results"]}


def _baseline(root: Path, *entries: Mapping[str, str]) -> Path:
    path = root / "slither.baseline.json"
    path.write_text(json.dumps({"schema": 1, "accepted": list(entries)}))
    return path


def _accepted(error: GatesFailed) -> dict[str, str]:
    (found,) = [line.strip() for line in error.cause.splitlines() if line.strip().startswith("id ")]
    return {"id": found[3:], "check": "reentrancy-eth", "impact": "High", "where": "src/Bank.sol#L6-L10",
            "reason": "planted", "by": "tester"}  # fmt: skip


def test_the_baseline_accepts_a_finding_and_the_acceptance_is_shown(
    project: Project, make_bundle: MakeBundle, slither: None
) -> None:
    root = project({"src/Bank.sol": BANK})
    built = make_bundle(root)
    baseline = _baseline(root, _accepted(failure(Slither(), built)))
    result = judge(Slither(SlitherConfig(baseline=baseline)), built)
    assert "1 accepted" in result.summary
    assert any(detail.startswith("accepted by tester: High reentrancy-eth") for detail in result.details)


def test_a_stale_acceptance_is_reported(project: Project, make_bundle: MakeBundle, slither: None) -> None:
    root = project({"src/C.sol": COUNTER})
    entry = {
        "id": "0" * 64,
        "check": "reentrancy-eth",
        "impact": "High",
        "where": "src/Gone.sol#L1",
        "reason": "r",
        "by": "b",
    }
    result = judge(Slither(SlitherConfig(baseline=_baseline(root, entry))), make_bundle(root))
    assert "1 stale in the baseline" in result.summary
    assert any("src/Gone.sol#L1" in detail for detail in result.details)


def test_an_acceptance_without_a_reason_is_refused_before_anything_runs(
    project: Project, make_bundle: MakeBundle, slither: None
) -> None:
    root = project({"src/C.sol": COUNTER})
    entry = {"id": "0" * 64, "check": "x", "impact": "High", "where": "y", "reason": " ", "by": "b"}
    with pytest.raises(BaselineInvalid, match="reason"):
        run_gates([Slither(SlitherConfig(baseline=_baseline(root, entry)))], make_bundle(root))


def test_findings_in_dependencies_alone_do_not_count(project: Project, make_bundle: MakeBundle, slither: None) -> None:
    assert judge(Slither(), make_bundle(project(IN_DEPENDENCY))).status == "passed"


def test_the_projects_place_on_disk_hides_nothing(project: Project, make_bundle: MakeBundle, slither: None) -> None:
    """Slither's own filters match absolute paths: below a folder named lib everything would be a dependency."""
    assert (
        "reentrancy-eth"
        in failure(Slither(), make_bundle(project({"src/Bank.sol": BANK}, name="lib/node_modules/p"))).cause
    )


def test_slithers_own_files_cannot_hide_a_finding(project: Project, make_bundle: MakeBundle, slither: None) -> None:
    files = {"src/Bank.sol": BANK, "slither.config.json": '{"filter_paths": "src", "exclude_high": true}'}
    error = failure(Slither(), make_bundle(project(files)))
    assert "High reentrancy-eth" in error.cause
    assert "slither.config.json is not read" in error.cause


def test_a_higher_bar_lets_lower_impacts_pass(project: Project, make_bundle: MakeBundle, slither: None) -> None:
    built = make_bundle(project({"src/C.sol": COUNTER.replace("^0.8.0", ">=0.8.0") + "contract c_2 {}\n"}))
    assert judge(Slither(SlitherConfig(fail_on="high")), built).status == "passed"
    assert "informational" in failure(Slither(SlitherConfig(fail_on="informational")), built).cause


def test_an_excluded_detector_does_not_run(project: Project, make_bundle: MakeBundle, slither: None) -> None:
    built = make_bundle(project({"src/Bank.sol": BANK}))
    assert judge(Slither(SlitherConfig(exclude=("reentrancy-eth",))), built).status == "passed"


def test_a_slither_that_cannot_run_is_a_failure(project: Project, make_bundle: MakeBundle, slither: None) -> None:
    built = make_bundle(project({"src/C.sol": COUNTER}))
    for file in built.workspace.paths.release.iterdir():
        file.write_text('{"input": {}}')
    assert "could not be run" in failure(Slither(), built).cause


def test_two_compilers_are_analysed_together(project: Project, make_bundle: MakeBundle, slither: None) -> None:
    files = {"src/Bank.sol": BANK, "src/Old.sol": BANK.replace("^0.8.0", "=0.6.6").replace("Bank", "Old")}
    error = failure(Slither(), make_bundle(project(files, foundry="[profile.default]\n")))
    assert "src/Bank.sol" in error.cause
    assert "src/Old.sol" in error.cause


# ---- side by side


class Fake:
    """A gate of the test's own, to watch the runner."""

    def __init__(self, name: str, act: Callable[[GateContext], Verdict]) -> None:
        self.name, self.act = name, act

    def question(self, bundle: Bundle, workspace: Workspace) -> Mapping[str, Any]:
        return {"bundle": bundle.digest}

    def run(self, context: GateContext) -> Verdict:
        return self.act(context)


def test_gates_run_at_the_same_time(project: Project, make_bundle: MakeBundle) -> None:
    meeting = threading.Barrier(2, timeout=20)

    def meet(_: GateContext) -> Verdict:
        meeting.wait()
        return Verdict("passed", "met")

    results = run_gates([Fake("a", meet), Fake("b", meet)], make_bundle(project({"src/C.sol": COUNTER})))
    assert [result.name for result in results] == ["a", "b"]


def test_one_failing_gate_leaves_the_others_to_finish_and_all_are_named(
    project: Project, make_bundle: MakeBundle
) -> None:
    def unable(_: GateContext) -> Verdict:
        raise GateError("the tool is broken", remedy="Repair it.")

    gates = [
        Fake("unable", unable),
        Fake("bad", lambda _: Verdict("failed", "not good", ("line one",))),
        Fake("good", lambda _: Verdict("passed", "good")),
    ]
    with pytest.raises(GatesFailed) as caught:
        run_gates(gates, make_bundle(project({"src/C.sol": COUNTER})))
    assert [result.status for result in caught.value.results] == ["failed", "failed", "passed"]
    assert "unable: could not be run\n  the tool is broken" in caught.value.cause
    assert "bad: not good\n  line one" in caught.value.cause


def test_an_interrupt_ends_the_programs_of_all_gates(project: Project, make_bundle: MakeBundle) -> None:
    group = ProcessGroup()

    def wait(context: GateContext) -> Verdict:
        run_tool(["sleep", "600"], cwd=context.folder, timeout_s=600, env=base_environment(), group=context.group)
        return Verdict("passed", "slept")

    def interrupt(_: GateContext) -> Verdict:
        raise KeyboardInterrupt

    began_s = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run_gates(
            [Fake("stop", interrupt), Fake("wait", wait)], make_bundle(project({"src/C.sol": COUNTER})), group=group
        )
    assert time.monotonic() - began_s < 60
