"""``ship release`` as people run it: the command's words and exit codes, signed tags, reports, several targets, and kills."""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
import sys
import time

import pytest

from pipeline.release.assets import parse_checksums
from tests.integration.promotion.conftest import TAG
from tests.integration.release.conftest import git
from tests.support.github.fake import TOKEN
from tests.support.github.lossy import lossy
from tests.support.missing import missing
from tests.support.schemas import hold


def whole(github, tag=TAG):
    """The one release of ``tag``, published: its row and files, each once, with the digest checksums.txt gives it."""
    ((id_, release),) = [(i, r) for i, r in github.releases.items() if r["tag_name"] == tag]
    assert release["draft"] is False
    files = github.files(id_)
    stated = parse_checksums(files["checksums.txt"])
    assert stated == {n: hashlib.sha256(d).hexdigest() for n, d in files.items() if n != "checksums.txt"}
    return release, files


# ---- the command


def test_the_commands_words_from_a_dry_run_to_already_released(candidate, github):
    for arguments, words in (
        (("--dry-run",), f"nothing was written; `ship release` would release {TAG}"),
        (("--draft",), f"done: {TAG} is a draft, "),
        ((), f"done: {TAG} is published, "),
        ((), f"done: {TAG} is already released, "),
    ):
        result = candidate.ship("release", *arguments)
        assert result.exit_code == 0, result.output
        assert words in result.output
        assert TOKEN not in result.output


def test_one_json_document_and_nothing_else_on_stdout(candidate, github):
    result = candidate.ship("release", "--json")
    document = json.loads(result.stdout)
    hold(document)
    assert (document["state"], document["tag"], document["prerelease"]) == ("published", TAG, True)


def test_what_is_refused_says_code_cause_remedy_and_that_nothing_was_written(candidate, github):
    candidate.edit("CHANGELOG.md", "## [1.0.0-rc.1]", "## [0.9.0]")
    for arguments in ((), ("--json",)):
        result = candidate.ship("release", *arguments)
        assert result.exit_code == 2
        for words in ("SHIP-R20", "CHANGELOG.md has no entry for 1.0.0-rc.1", "uncommitted changes"):
            assert words in result.output
    assert "Nothing was written to GitHub." in candidate.ship("release").output
    assert github.writes == []


def test_no_answer_is_exit_code_3_and_the_same_command_goes_on(candidate, github, monkeypatch):
    with lossy(github.url) as proxy:
        monkeypatch.setenv("GITHUB_API_URL", proxy.url)
        proxy.calm()
        assert candidate.ship("release", "--dry-run").exit_code == 0
    result = candidate.ship("release")  # nobody listens there any more
    assert result.exit_code == 3
    assert "SHIP-U12" in result.output
    monkeypatch.setenv("GITHUB_API_URL", github.url)
    assert candidate.ship("release").exit_code == 0
    whole(github)


# ---- what a release can hold


def test_a_signed_tag_is_made_by_git_and_verifies(candidate, github, tmp_path):
    key = tmp_path / "key"
    done = subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "tester@example.com", "-f", str(key)], check=False
    )
    if done.returncode:
        missing("ssh-keygen, which signs the tag, does not work here")
    allowed = tmp_path / "allowed"
    allowed.write_text(f"tester@example.com {key.with_suffix('.pub').read_text()}")
    for name, value in {
        "gpg.format": "ssh", "user.signingKey": str(key), "gpg.ssh.allowedSignersFile": str(allowed), "tag.gpgSign": "true",
    }.items():  # fmt: skip
        git(candidate.root, "config", name, value)
    result = candidate.ship("release")
    assert result.exit_code == 0, result.output
    git(candidate.root, "verify-tag", TAG)
    assert git(candidate.bare, "rev-parse", f"{TAG}^{{commit}}") == candidate.head
    assert "-----BEGIN SSH SIGNATURE-----" in git(candidate.bare, "cat-file", "tag", TAG)
    whole(github)
    assert not [call for call in github.writes if "/git/" in call], "the tag came by git, not by the API"


def rc2(candidate, *changes):
    """Another candidate, on both chains, from one commit."""
    candidate.edit("ship.toml", "1.0.0-rc.1", "1.0.0-rc.2")
    candidate.edit("CHANGELOG.md", "1.0.0-rc.1", "1.0.0-rc.2")
    for old, new in changes:
        candidate.edit("ship.toml", old, new)
    candidate.commit("Another candidate")
    deployed = candidate.ship("deploy", "--chain", "stage,prod", "--yes")
    assert deployed.exit_code == 0, deployed.output


def test_two_targets_are_one_release_with_two_records_and_two_deployments(candidate, github):
    rc2(candidate, ('targets = ["stage"]', 'targets = ["stage", "prod"]'))
    assert candidate.release().state == "published"
    release, files = whole(github, "v1.0.0-rc.2")
    assert {"stage.json", "stage.intoto.json", "prod.json", "prod.intoto.json"} <= set(files)
    assert len([name for name in files if name.startswith("bundle-")]) == 1
    assert {d["environment"] for d in github.deployments.values()} == {"stage", "prod"}
    for name in ("stage", "prod"):
        assert json.loads(files[f"{name}.json"])["target"] == name
        assert candidate.record("v1.0.0-rc.2", name)["units"]["Registry"]["address"] in release["body"]


def test_slithers_report_is_an_asset_where_it_is_the_records_own(candidate, github):
    rc2(candidate, ("tests = {}", 'tests = {}\nslither = { exclude = ["controlled-delegatecall"] }'))
    assert candidate.release().state == "published"
    _, files = whole(github, "v1.0.0-rc.2")
    report = json.loads(files["slither.sarif"])
    assert report["version"] == "2.1.0"
    assert report["runs"][0]["tool"]["driver"]["name"] == "Slither"


# ---- kills


def killed_after(candidate, github, calls):
    """``ship release`` in a process of its own, killed when GitHub was asked ``calls`` times more. Gives its exit code."""
    start = len(github.calls)
    code = "import sys; from pipeline.cli import main; sys.argv = ['ship', 'release', '-C', sys.argv[1]]; main()"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(candidate.root)],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        deadline_s = time.monotonic() + 60
        while process.poll() is None and len(github.calls) - start < calls:
            assert time.monotonic() < deadline_s, "ship release neither asks nor ends"
            time.sleep(0.0005)
        process.kill()
        return process.wait(timeout=30)


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.soak)])
def test_killed_again_and_again_and_run_again_it_ends_in_one_whole_release(candidate, github, seed):
    chance = random.Random(seed)
    kills = 0
    for _ in range(6):
        kills += killed_after(candidate, github, chance.randrange(1, 40)) == -9
        if any(not release["draft"] for release in github.releases.values()):
            whole(github)  # never in public and half
    assert kills, "no kill ever struck"
    assert candidate.release().state in {"published", "already"}
    whole(github)
    assert git(candidate.bare, "rev-parse", f"{TAG}^{{commit}}") == candidate.head
    assert len(github.deployments) == 1


# ---- the version against what changed


def test_a_bump_that_is_too_small_is_not_released(candidate, published):
    """A function that callers use is gone: 1.0.1 promises what the bytes do not keep."""
    assert candidate.ship("promote", TAG, "--chain", "stage", "--yes").exit_code == 0
    candidate.commit("Records of 1.0.0")
    assert candidate.release("1.0.0").state == "published"
    candidate.edit("ship.toml", 'version = "1.0.0-rc.1"', 'version = "1.0.1"')
    candidate.edit(
        "CHANGELOG.md", "## [1.0.0-rc.1]", "## [1.0.1] - 2026-11-24\n\n### Fixed\n- A name.\n\n## [1.0.0-rc.1]"
    )
    candidate.edit("src/Counter.sol", "function increment() external", "function raise() external")
    candidate.commit("Another name")
    deployed = candidate.ship("deploy", "--chain", "stage", "--yes")
    assert deployed.exit_code == 0, deployed.output
    candidate.commit("Records of 1.0.1")
    writes = list(published.writes)
    result = candidate.ship("release")
    assert result.exit_code == 2, result.output
    assert "SHIP-C11" in result.output
    assert "too small a step from v1.0.0" in result.output
    assert published.writes == writes
