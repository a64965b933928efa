"""A plan that an earlier run left part-way: when it may be given up, two runs at once, and a journal of another cluster."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from solders.keypair import Keypair

from tests.support.fault_proxy import Call, FaultProxy, Rule
from tests.support.solana_keys import keystore_table
from tests.support.solana_node import solana_node
from tests.support.solana_project import PROGRAM, V1, V2, SolanaProject, development_key, solana_project
from tests.support.solana_proxy import SEND, at, swallow_send

pytestmark = pytest.mark.e2e
LOADER = "BPFLoaderUpgradeab1e11111111111111111111111"


@pytest.fixture
def project(tmp_path: Path) -> Iterator[SolanaProject]:
    with solana_project(tmp_path) as one:
        yield one


def _left_part_way(project: SolanaProject) -> None:
    """The deployment is signed, and no node has it."""
    project.target(policy={"wait-s": 1})
    rule = at("deploy", swallow_send(times=None))
    for proxy in project.proxies:
        proxy.add(rule)
    assert project.deploy(exit_code=3)["exit"] == 3
    for proxy in project.proxies:
        proxy.clear()
    project.target(policy={})


def _ahead(proxy: FaultProxy, call: Call) -> Any:
    answer = proxy.forward(call)
    answer["result"]["blockHeight"] += 100_000
    return answer


def test_a_plan_is_given_up_only_when_nothing_of_it_can_land(project: SolanaProject) -> None:
    _left_part_way(project)
    signed, sent = project.signatures(), len(project.sent)
    project.edit('version = "0.1.0"', 'version = "0.1.1"')
    assert project.deploy("--replan", exit_code=2)["error"]["code"] == "SHIP-P04"
    assert (project.signatures(), len(project.sent)) == (signed, sent)

    project.node.advance(200)
    done = project.deploy("--replan")
    assert done["version"] == "0.1.1"
    assert project.runs(V1)
    (given_up,) = project.rows("plan.abandoned")
    assert given_up["reason"] == "--replan"
    assert project.deploy()["sent"] == 0
    project.hold()


@pytest.mark.parametrize("which", [0, 1])
def test_one_provider_that_is_ahead_does_not_make_a_transaction_dead(project: SolanaProject, which: int) -> None:
    _left_part_way(project)
    project.proxies[which].add(Rule("ahead", ("getEpochInfo",), _ahead, None))
    assert project.deploy("--replan", exit_code=2)["error"]["code"] == "SHIP-P04"


def test_without_replan_the_same_plan_goes_on_with_the_same_bytes(project: SolanaProject) -> None:
    _left_part_way(project)
    before = project.signatures()
    project.edit('version = "0.1.0"', 'version = "0.1.1"')
    assert project.deploy()["record"] == "releases/v0.1.0/here.json"
    steps = {row["step"]: row["signature"] for row in project.rows("sol.signed")}
    assert {steps["create"], steps["deploy"]} < before
    assert project.deploy()["record"] == "releases/v0.1.1/here.json"


def test_a_plan_of_which_nothing_was_signed_is_dropped(project: SolanaProject) -> None:
    project.target(policy={"instructions": {LOADER: ["upgrade"]}})
    project.deploy(exit_code=2)
    project.target(policy={})
    assert project.deploy()["exit"] == 0
    (given_up,) = project.rows("plan.abandoned")
    assert given_up["reason"] == "nothing of it was signed"


def test_two_runs_at_once(project: SolanaProject) -> None:
    """The second is refused and names the first, which goes on undisturbed."""
    second: list[dict[str, Any]] = []

    def meanwhile(proxy: FaultProxy, call: Call) -> Any:
        other = project.start("deploy", "--chain", "here", "--yes", "--json")
        document, _ = other.communicate(timeout=60)
        second.append({**json.loads(document), "exit": other.returncode})
        return proxy.forward(call)

    for proxy in project.proxies:
        proxy.add(at("create", Rule("a second run", (SEND,), meanwhile)))
    process = project.start("deploy", "--chain", "here", "--yes")
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert [(one["exit"], one["sent"]) for one in second] == [(2, 0)]
    assert str(process.pid) in second[0]["error"]["cause"]
    assert project.runs(V1)
    project.hold()


def test_a_journal_of_another_cluster(project: SolanaProject, tmp_path: Path) -> None:
    project.deploy()
    project.next_version()
    rows = len(project.rows())
    with solana_node(tmp_path / "other", slot_ms=20) as other:
        other.call("requestAirdrop", str(development_key().pubkey()), 10**11)
        project.target(urls=[other.url])
        error = project.deploy(exit_code=2)["error"]
        assert "journal" in error["cause"]
        assert other.account(PROGRAM) is None
    assert len(project.rows()) == rows
    project.target()
    assert project.deploy()["exit"] == 0
    assert project.runs(V2)


# -- the target's rules, through the command ---------------------------------------------------------------------------


def _refused(project: SolanaProject, rule: str) -> None:
    assert project.deploy(exit_code=2)["error"]["code"]
    assert (project.rows("sol.signed"), project.sent) == ([], [])
    assert [(row["verdict"], row["rule"]) for row in project.rows("policy.decision")] == [("refused", rule)]


def test_an_instruction_that_may_not_be_sent(project: SolanaProject) -> None:
    project.target(policy={"instructions": {LOADER: ["upgrade", "write"]}})
    _refused(project, "instructions")
    project.target(policy={})
    assert project.deploy()["exit"] == 0


def test_a_program_that_may_not_be_invoked(project: SolanaProject) -> None:
    """Judged over the whole plan before the first signature; when the rule is widened, the release goes on."""
    project.target(policy={"programs": [str(Keypair().pubkey())]})
    assert project.deploy(exit_code=2)["exit"] == 2
    assert [row["rule"] for row in project.rows("policy.decision") if row["verdict"] == "refused"] == ["programs"]
    assert (project.rows("sol.signed"), project.sent) == ([], [])
    project.target(policy={"programs": [PROGRAM]})
    assert project.deploy()["exit"] == 0


def test_a_release_that_costs_more_than_allowed(project: SolanaProject) -> None:
    project.target(policy={"max-lamports": "0.03 SOL"})
    assert project.deploy(exit_code=2)["error"]["code"] == "SHIP-Q21"
    assert (project.rows("sol.signed"), project.sent) == ([], [])
    project.target(policy={"max-lamports": "0.04 SOL"})
    assert project.deploy()["exit"] == 0


def test_a_key_kept_by_too_little(project: SolanaProject) -> None:
    project.target(policy={"require": "hardware"})
    error = project.deploy(exit_code=2)["error"]
    assert "require" in error["cause"]
    assert (project.rows("sol.signed"), project.sent) == ([], [])


def test_approvals_are_missing(project: SolanaProject) -> None:
    approver = "0x4e59b44847b379578588920cA78FbF26c0B4956C"
    project.target(policy={"approvals": 1, "approvers": {"ada": approver}})
    assert project.deploy(exit_code=2)["exit"] == 2
    assert (project.rows("sol.signed"), project.sent) == ([], [])


def test_another_key_than_the_pinned_one(project: SolanaProject) -> None:
    table = keystore_table(project.root, Keypair(), "deployer")
    project.target(signer={**table, "public-key": str(Keypair().pubkey())}, payer={"backend": "development"})
    assert project.deploy(exit_code=2)["exit"] == 2
    assert (project.rows("sol.signed"), project.sent) == ([], [])
