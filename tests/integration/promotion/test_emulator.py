"""The same on a GitHub that somebody else wrote (npm ``emulate``): release, again, resume, promote, release, verify."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

import pytest

from pipeline.release.assets import parse_checksums
from pipeline.release.errors import TagElsewhere
from tests.integration.commands.conftest import run_ship
from tests.integration.promotion.conftest import TAG
from tests.integration.release.conftest import git
from tests.support.github.emulated import Emulated, emulated_github
from tests.support.github.fake import REPOSITORY


@pytest.fixture
def emulated(candidate, monkeypatch) -> Iterator[Emulated]:
    with emulated_github(candidate.bare) as github:
        monkeypatch.setenv("GITHUB_API_URL", github.url)
        yield github


def whole(emulated, tag):
    """The one release of ``tag``, published, its files those checksums.txt names."""
    (release,) = [release for release in emulated.releases() if release["tag_name"] == tag]
    assert release["draft"] is False
    files = emulated.files(release["id"])
    stated = parse_checksums(files["checksums.txt"])
    assert stated == {n: hashlib.sha256(d).hexdigest() for n, d in files.items() if n != "checksums.txt"}
    return release, files


def test_a_candidate_is_released_promoted_released_again_and_both_are_proven(
    candidate, emulated, tmp_path, monkeypatch
):
    assert candidate.release().state == "published"
    release, files = whole(emulated, TAG)
    assert release["prerelease"] is True
    commit = candidate.head
    ref = emulated.ask("GET", f"/repos/{REPOSITORY}/git/ref/tags/{TAG}")[1]
    assert ref["object"]["type"] == "tag"
    tag = emulated.ask("GET", f"/repos/{REPOSITORY}/git/tags/{ref['object']['sha']}")[1]
    assert tag["object"]["sha"] == commit

    assert candidate.promote().exit_code == 0
    assert candidate.ship("promote", TAG, "--chain", "stage", "--yes").exit_code == 0
    candidate.commit("Records of 1.0.0")
    assert candidate.release("1.0.0").state == "published"
    final, final_files = whole(emulated, "v1.0.0")
    assert final["prerelease"] is False
    (bundle,) = [name for name in files if name.startswith("bundle-")]
    assert final_files[bundle] == files[bundle]

    monkeypatch.chdir(tmp_path)
    for version in (TAG, "v1.0.0"):
        rpc = f"stage={candidate.stage.url}"
        result = run_ship("verify-release", version, "--repository", REPOSITORY, "--rpc", rpc, "--json")
        assert result.exit_code == 0, result.output
        assert json.loads(result.stdout)["proven"] is True
    assert emulated.served > 50, "the emulator answered, not the overlay"


def test_the_same_command_again_writes_nothing(candidate, emulated):
    candidate.release()
    before = len(emulated.writes)
    assert candidate.release().state == "already"
    assert len(emulated.writes) == before


def test_a_wrong_asset_in_the_draft_is_replaced(candidate, emulated):
    assert candidate.ship("release", "--draft").exit_code == 0
    (release,) = emulated.releases()
    spoilt = next(a for a in emulated.assets(release["id"]) if a["name"] == "stage.json")
    emulated.data[spoilt["id"]] = emulated.data[spoilt["id"]].replace(b"counter", b"Counter", 1)
    assert candidate.release().state == "published"
    whole(emulated, TAG)


def test_a_tag_on_another_commit_is_refused(candidate, emulated):
    git(candidate.root, "commit", "-q", "--allow-empty", "-m", "Another")
    git(candidate.root, "push", "-q", "origin", "HEAD:other")
    other = candidate.head
    git(candidate.root, "reset", "-q", "--hard", "HEAD~1")
    made = {"tag": TAG, "message": "x", "object": other, "type": "commit"}
    sha = emulated.ask("POST", f"/repos/{REPOSITORY}/git/tags", json.dumps(made).encode())[1]["sha"]
    refs = json.dumps({"ref": f"refs/tags/{TAG}", "sha": sha}).encode()
    assert emulated.ask("POST", f"/repos/{REPOSITORY}/git/refs", refs)[0] == 201
    with pytest.raises(TagElsewhere):
        candidate.release()
    assert emulated.releases() == []
