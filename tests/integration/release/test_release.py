"""``ship release``: what is published, what is refused, and that a second run changes nothing."""

from __future__ import annotations

import hashlib
import json
import tarfile
from io import BytesIO

import pytest

from pipeline.github.errors import AddressRefused, GithubDenied, TokenMissing
from pipeline.release.assets import parse_checksums
from pipeline.release.errors import AlreadyDifferent, AssetWrong, NotReady, TagElsewhere
from pipeline.release.notes import MARK
from tests.integration.release.conftest import git
from tests.support.github.fake import TOKEN
from tests.support.schemas import hold


def only_release(github):
    assert len(github.releases) == 1
    return next(iter(github.releases.items()))


def test_a_release_is_tagged_filled_read_back_published_and_its_deployment_noted(project, github):
    outcome = project.release()
    assert outcome.state == "published"
    hold(outcome.to_json())
    id_, release = only_release(github)
    assert (release["draft"], release["prerelease"], release["make_latest"]) == (False, False, "true")
    assert git(project.bare, "rev-parse", "v1.0.0^{commit}") == project.head
    assert git(project.bare, "cat-file", "-t", "v1.0.0") == "tag"
    files = github.files(id_)
    record = project.record()
    bundle = f"bundle-{record['bundle'][:12]}.tar"
    assert set(files) == {
        "local.json", "local.intoto.json", "local.rollback.json", "local.journal.jsonl", bundle, "sbom.cdx.json", "addresses.json", "checksums.txt",
    }  # fmt: skip
    stated = parse_checksums(files["checksums.txt"])
    assert stated == {n: hashlib.sha256(d).hexdigest() for n, d in files.items() if n != "checksums.txt"}
    assert json.loads(files["local.json"]) == record
    with tarfile.open(fileobj=BytesIO(files[bundle])) as tar:
        packed = tar.extractfile(f"bundle-{record['bundle'][:12]}/bundle.json")
        assert packed is not None
        assert hashlib.sha256(packed.read()).hexdigest() == record["bundle"]
    (deployment,) = github.deployments.values()
    assert (deployment["ref"], deployment["environment"]) == ("v1.0.0", "local")
    assert [status["state"] for status in github.statuses[next(iter(github.deployments))]] == ["success"]


def test_publishing_is_the_last_write_to_the_release(project, github):
    project.release()
    writes = [call for call in github.writes if "/releases" in call]
    assert writes[-1].startswith("PATCH ")
    assert sum(call.startswith("PATCH") for call in writes) == 1


def test_the_same_command_again_writes_nothing(project, github):
    project.release()
    before = len(github.writes)
    outcome = project.release()
    assert outcome.state == "already"
    assert {deed.state for deed in outcome.deeds} == {"there"}
    assert len(github.writes) == before


def test_a_dry_run_says_every_write_and_makes_none(project, github):
    outcome = project.release(dry=True)
    hold(outcome.to_json())
    assert github.writes == []
    assert {deed.state for deed in outcome.deeds} == {"would"}
    assert {"tag v1.0.0", "draft", "checksums.txt", "publish", "deployment local"} <= {d.what for d in outcome.deeds}


def test_a_draft_stops_before_publishing_and_is_published_by_the_next_run(project, github):
    assert project.release(draft=True).state == "draft"
    assert only_release(github)[1]["draft"] is True
    assert github.deployments == {}
    uploads = sum("/assets?" in call for call in github.writes)
    assert project.release().state == "published"
    assert sum("/assets?" in call for call in github.writes) == uploads


def test_the_notes_hold_tables_and_nothing_in_them_is_markup_of_others(project, github):
    project.release()
    body = only_release(github)[1]["body"]
    record = project.record()
    for unit in record["units"].values():
        assert unit["address"] is None or f"`{unit['address']}`" in body
    assert "### Verification" in body
    assert "Cost: 0" in body.replace("\\", "")
    assert body.rstrip().rpartition("\n")[2].startswith(MARK)


def test_downloads_are_followed_to_the_store_without_the_token(project, github):
    github.digests = False
    assert project.release().state == "published"
    assert any(call.startswith("GET") and "/releases/assets/" in call for call in github.calls)
    assert github.stored_with_credentials == 0


def test_the_token_is_nowhere_in_what_is_said_or_left(project, github):
    outcome = project.release()
    seen = str(project.said) + json.dumps(outcome.to_json()) + json.dumps(github.bodies)
    assert TOKEN not in seen


# ---- faults 44 to 47


def test_a_tag_on_another_commit_is_refused(project, github):
    git(project.root, "commit", "-q", "--allow-empty", "-m", "Another")
    git(project.root, "push", "-q", "origin", "HEAD:other")
    git(project.bare, "update-ref", "refs/tags/v1.0.0", "refs/heads/other")
    git(project.root, "reset", "-q", "--hard", "HEAD~1")
    with pytest.raises(TagElsewhere, match=r"v1\.0\.0 on GitHub is commit"):
        project.release()
    assert github.writes == []


def test_a_tag_made_here_is_pushed_and_one_of_another_commit_here_is_refused(project, github):
    git(project.root, "tag", "-am", "ours", "v1.0.0")
    assert project.release(draft=True).state == "draft"
    assert git(project.bare, "rev-parse", "v1.0.0") == git(project.root, "rev-parse", "v1.0.0")
    assert not any("/git/tags" in call for call in github.writes)


def test_a_foreign_draft_of_the_tag_is_named_and_left_alone(project, github):
    theirs = github.add_draft("v1.0.0", "written by hand")
    assert project.release().state == "published"
    assert github.releases[theirs]["draft"] is True
    assert github.releases[theirs]["body"] == "written by hand"
    assert "another draft of v1.0.0" in str(project.said)


def test_a_wrong_asset_in_our_draft_is_replaced(project, github):
    project.release(draft=True)
    spoiled = next(a for a in github.assets.values() if a["name"] == "local.json")
    spoiled["data"] = spoiled["data"][:-10]
    project.release()
    id_, _ = only_release(github)
    assert json.loads(github.files(id_)["local.json"]) == project.record()


def test_an_asset_github_keeps_changing_is_never_published(project, github):
    github.spoil = lambda name, data: data[:-1] + b"?" if name == "sbom.cdx.json" else data
    with pytest.raises(AssetWrong, match=r"sbom\.cdx\.json"):
        project.release()
    assert only_release(github)[1]["draft"] is True
    github.spoil = lambda name, data: data
    assert project.release().state == "published"


def test_a_draft_that_was_lost_is_rebuilt_from_the_records(project, github):
    project.release(draft=True)
    first = {name: data for a in github.assets.values() for name, data in [(a["name"], a["data"])]}
    github.releases.clear()
    github.assets.clear()
    project.release()
    assert github.files(only_release(github)[0]) == first


def test_a_published_release_that_differs_is_refused_and_not_touched(project, github):
    project.release()
    changed = next(a for a in github.assets.values() if a["name"] == "addresses.json")
    changed["data"] = b"{}"
    before = len(github.writes)
    with pytest.raises(AlreadyDifferent, match=r"addresses\.json has other bytes"):
        project.release()
    assert len(github.writes) == before


# ---- what is asked for first


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda p: (p.root / "stray.txt").write_text("x"), "uncommitted changes"),
        (lambda p: p.edit("CHANGELOG.md", "[1.0.0]", "[0.9.0]"), "no entry for 1.0.0"),
        (lambda p: (p.root / "package.json").write_text('{"version": "0.9.0"}'), "package.json says version 0.9.0"),
        (lambda p: p.edit("ship.toml", 'targets = ["local"]', 'targets = ["local", "base"]'), "base has no record"),
        (lambda p: p.edit("releases/v1.0.0/local.json", '"dirty": false', '"dirty":  false'), "not as ship wrote it"),
        (lambda p: p.edit("releases/v1.0.0/local.intoto.json", "counter", "other"), "says something else"),
        (lambda p: (p.root / "deployments/local/journal.jsonl").unlink(), "cannot be read"),
    ],
)
def test_what_is_not_ready_is_named_before_anything_is_written(project, github, change, reason):
    change(project)
    with pytest.raises(NotReady) as refused:
        project.release()
    assert reason in refused.value.cause
    assert refused.value.exit_code == 2
    assert github.calls == []


def test_records_may_be_committed_after_the_deployment_and_sources_may_not(project, github):
    built = project.head
    project.commit("The records")
    assert project.head != built
    project.release(draft=True)
    assert git(project.bare, "rev-parse", "v1.0.0^{commit}") == built
    (project.root / "src" / "Other.sol").write_text("// more\n")
    project.commit("More sources")
    with pytest.raises(NotReady, match=r"HEAD .* has other sources"):
        project.release()


def test_a_commit_that_was_not_pushed_is_refused(project, github):
    git(project.bare, "update-ref", "-d", "refs/heads/main")
    git(project.bare, "gc", "-q", "--prune=now")
    with pytest.raises(NotReady, match="GitHub does not have commit"):
        project.release()


@pytest.mark.parametrize(
    ("run", "settings", "reason"),
    [
        (("ci", "completed", "failure"), "", "ci is failure"),
        (("ci", "in_progress", None), "", "ci is pending"),
        (("ci", "completed", "success"), 'required-checks = ["ci", "audit"]\n', "audit never ran"),
    ],
)
def test_checks_that_are_not_green_stop_the_release(project, github, run, settings, reason):
    if settings:
        git(project.root, "update-index", "--assume-unchanged", "ship.toml")
        project.edit("ship.toml", 'targets = ["local"]\n', f'targets = ["local"]\n{settings}')
    github.check_runs = [run]
    with pytest.raises(NotReady, match=reason):
        project.release()
    assert github.writes == []
    github.check_runs, github.commit_statuses = [("ci", "completed", "success")], [("audit", "success")]
    assert project.release().state == "published"


def test_a_token_that_may_only_read_is_refused(project, github):
    github.push = False
    with pytest.raises(GithubDenied, match="may only read"):
        project.release()


def test_a_wrong_token_is_refused_and_not_shown(project, github, monkeypatch):
    monkeypatch.setenv("GITHUB_TOKEN", "ghp_anotherToken0123456789")
    with pytest.raises(GithubDenied) as refused:
        project.release()
    assert "anotherToken" not in refused.value.cause + str(project.said)


def test_the_environments_token_goes_to_no_github_only_a_manifest_names(project, github, monkeypatch):
    git(project.root, "update-index", "--assume-unchanged", "ship.toml")
    project.edit("ship.toml", "[github]\n", f'[github]\napi-url = "{github.url}"\n')
    monkeypatch.delenv("GITHUB_API_URL")
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    with pytest.raises(TokenMissing):
        project.release()
    assert github.calls == []
    monkeypatch.setenv("GITHUB_API_URL", "http://github.example.com/api/v3")
    project.edit("ship.toml", f'api-url = "{github.url}"\n', "")
    with pytest.raises(AddressRefused):
        project.release()


def test_a_github_app_logs_in_by_a_jwt_of_its_key_and_its_token_is_hidden(project, github, monkeypatch, tmp_path):
    import jwt
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    from pipeline.manifest.redaction import redact

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    git(project.root, "update-index", "--assume-unchanged", "ship.toml")
    app = 'app = { id = 42, installation-id = 7, private-key = "env:APP_KEY" }'
    project.edit("ship.toml", "[github]\n", f"[github]\n{app}\n")
    monkeypatch.setenv("APP_KEY", pem)
    monkeypatch.delenv("GITHUB_TOKEN")
    assert project.release().state == "published"
    claims = jwt.decode(github.jwts[0], key.public_key(), algorithms=["RS256"], options={"verify_iat": False})
    assert claims["iss"] == "42"
    assert TOKEN not in redact(f"a text with {TOKEN} in it")
