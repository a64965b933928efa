"""``ship promote`` killed and run again, on several targets, and with approvals: what it shares with ``ship deploy``."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time

import pytest
from eth_account import Account

from tests.integration.promotion.conftest import TAG
from tests.integration.release.conftest import git
from tests.support.keyfiles import PASSWORD, keyfile
from tests.support.schemas import hold

UNITS = 4
"""Transactions of the project on an empty chain."""


def killed_at(candidate, rows):
    """``ship promote`` in a process of its own, killed when its journal has so many rows. Gives its exit code."""
    journal = candidate.root / "deployments/prod/journal.jsonl"
    code = (
        "import sys; from pipeline.cli import main; "
        "sys.argv = ['ship', 'promote', sys.argv[1], '--chain', 'prod', '--yes', '-C', sys.argv[2]]; main()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, TAG, str(candidate.root)],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        deadline_s = time.monotonic() + 60
        while process.poll() is None and not (journal.exists() and journal.read_bytes().count(b"\n") >= rows):
            assert time.monotonic() < deadline_s, "ship promote neither writes nor ends"
            time.sleep(0.0005)
        process.kill()
        return process.wait(timeout=30)


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.soak)])
def test_killed_again_and_again_each_transaction_is_sent_once(candidate, published, seed):
    chance = random.Random(seed)
    before = candidate.prod.nonce()
    rows = kills = 0
    while kills < 3 and rows < 20:
        rows += chance.randrange(1, 7)
        kills += killed_at(candidate, rows) == -9
    assert kills, "no kill ever struck"
    result = candidate.promote()
    assert result.exit_code == 0, result.output
    assert candidate.prod.nonce() - before == UNITS
    record = candidate.record("v1.0.0", "prod")
    assert (record["promoted_from"], len(record["transactions"])) == (TAG, UNITS)
    assert record["commit"] == candidate.record(TAG, "stage")["commit"]


def test_another_candidate_does_not_carry_an_unfinished_promotion_on(candidate, published):
    while killed_at(candidate, 6) != -9:
        pytest.fail("the promotion was through before it could be killed")
    git(candidate.root, "checkout", "--", ".")
    candidate.edit("ship.toml", "1.0.0-rc.1", "1.0.0-rc.2")
    candidate.edit("CHANGELOG.md", "1.0.0-rc.1", "1.0.0-rc.2")
    git(candidate.root, "add", "-A", "--", "ship.toml", "CHANGELOG.md")
    git(candidate.root, "commit", "-qm", "Another candidate")
    assert candidate.ship("deploy", "--chain", "stage", "--yes").exit_code == 0
    before = candidate.prod.nonce()
    result = candidate.ship("promote", "v1.0.0-rc.2", "--chain", "prod", "--yes", "--local")
    assert result.exit_code == 2, result.output
    assert f"of v1.0.0, promoted from {TAG}, is unfinished on prod" in result.output
    assert candidate.prod.nonce() == before


def test_several_targets_are_promoted_side_by_side(candidate, published):
    result = candidate.ship("promote", TAG, "--chain", "stage,prod", "--yes", "--json")
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    hold(document)
    assert {t["target"]: t["sent"] for t in document["targets"]} == {"stage": 0, "prod": UNITS}
    for name in ("stage", "prod"):
        assert candidate.record("v1.0.0", name)["promoted_from"] == TAG


def test_a_promotion_waits_for_its_approvers_as_any_plan_does(candidate, published, tmp_path, monkeypatch):
    key = bytes(31) + b"\x09"
    keyfile(tmp_path, key)
    signer = tmp_path / "alice.toml"
    signer.write_text(
        'schema = 1\n[signer]\nbackend = "keystore"\nfile = "env:ALICE_KEY"\npassword = "env:ALICE_PASSWORD"\n'
    )
    monkeypatch.setenv("ALICE_KEY", str(tmp_path / "key.json"))
    monkeypatch.setenv("ALICE_PASSWORD", PASSWORD)
    alice = Account.from_key(key).address
    candidate.edit("manifests/prod.toml", "[policy]", f'[policy]\napprovals = 1\napprovers = {{ alice = "{alice}" }}')
    # Approvers belong to a candidate's commit: the next candidate has them.
    second = "v1.0.0-rc.2"
    candidate.edit("ship.toml", 'version = "1.0.0-rc.1"', 'version = "1.0.0-rc.2"')
    candidate.edit(
        "CHANGELOG.md", "## [1.0.0-rc.1]", "## [1.0.0-rc.2] - 2026-11-24\n\n### Added\n- Approvers.\n\n## [1.0.0-rc.1]"
    )
    candidate.commit("With approvers")
    assert candidate.ship("deploy", "--chain", "stage", "--yes").exit_code == 0
    candidate.commit("Its record")
    assert candidate.release().state == "published"

    def promote(*more):
        return candidate.ship("promote", second, "--chain", "prod", "--yes", *more)

    plan = tmp_path / "plan.json"
    assert candidate.ship("promote", second, "--chain", "prod", "--out", str(plan)).exit_code == 0
    before = candidate.prod.nonce()
    waiting = promote("--plan", str(plan))
    assert waiting.exit_code == 2, waiting.output
    assert candidate.prod.nonce() == before
    approved = candidate.ship("approve", str(plan), "--signer", str(signer), "--yes")
    assert approved.exit_code == 0, approved.output
    done = promote("--plan", str(plan))
    assert done.exit_code == 0, done.output
    record = candidate.record("v1.0.0", "prod")
    assert (record["approved_by"], record["promoted_from"]) == ("alice", second)
