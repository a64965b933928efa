"""``ship promote``: the same bytes on another chain as the final version, and what is refused with nothing sent."""

from __future__ import annotations

import io
import json
import shutil
import tarfile

import pytest

from chains.canonical import pretty
from pipeline.manifest.project import load_project
from pipeline.promotion.errors import CandidateAltered, NotPromotable
from pipeline.promotion.finding import Fetching, Holding
from pipeline.promotion.judging import Judging
from pipeline.promotion.soaking import Soaking
from pipeline.record import statement
from pipeline.release.assets import File, checksums
from pipeline.released.fetching import open_repository
from pipeline.ui.plain import PlainUi
from tests.integration.promotion.conftest import TAG
from tests.integration.release.conftest import Quick, git
from tests.support.schemas import hold

BUILT = "building"


def refused(candidate, code, *words, more=()):
    """Exit code 2 and that reason; nothing reached the second chain, and there is no trace of a plan."""
    before = candidate.prod.nonce()
    result = candidate.promote(*more)
    assert result.exit_code == 2, result.output
    assert code in result.output
    for word in words:
        assert word in result.output
    assert candidate.prod.nonce() == before
    journal = candidate.root / "deployments/prod/journal.jsonl"
    assert not journal.exists() or "plan.accepted" not in journal.read_text()


def assets(github, tag=TAG):
    """The candidate's assets by name, to be changed in place."""
    (id_,) = [id_ for id_, release in github.releases.items() if release["tag_name"] == tag]
    return {a["name"]: a for a in github.assets.values() if a["release"] == id_}


def rewritten(github, changed):
    """Somebody with write access to the release changes files (``None`` takes one away), and checksums.txt with them."""
    found = assets(github)
    for name, data in changed.items():
        if data is None:
            taken = found.pop(name)
            github.assets = {id_: a for id_, a in github.assets.items() if a is not taken}
        else:
            found[name]["data"] = data
    files = [File(name, a["data"]) for name, a in found.items() if name != "checksums.txt"]
    found["checksums.txt"]["data"] = checksums(files)


def test_the_same_bytes_are_deployed_as_the_final_version_and_nothing_is_built(candidate, published):
    shutil.rmtree(candidate.root / ".ship")  # another machine: what it deploys came from the release
    result = candidate.promote("--json")
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    hold(document)
    assert (document["version"], document["outcome"]) == ("1.0.0", "done")
    assert BUILT not in result.stderr
    before, after = candidate.record(TAG, "stage"), candidate.record("v1.0.0", "prod")
    hold({"schema": 1, "kind": "contract-ship/records", "records": [{"path": "x", "record": after}]})
    assert after["promoted_from"] == TAG
    assert (after["bundle"], after["commit"], after["dirty"]) == (before["bundle"], before["commit"], False)
    assert after["gates"][0]["name"] == "tests"
    assert after["gates"][0]["judged"] == before["gates"][0]["judged"]
    rows = [json.loads(line) for line in (candidate.root / "deployments/prod/journal.jsonl").read_text().splitlines()]
    (accepted,) = [row["data"] for row in rows if row["kind"] == "plan.accepted"]
    assert (accepted["promoted_from"], accepted["version"], accepted["commit"]) == (TAG, "1.0.0", before["commit"])
    plan = json.loads((candidate.root / f"deployments/prod/plans/{after['plan']}.json").read_text())
    hold({**plan, "digest": after["plan"]})
    assert plan["promoted_from"] == TAG
    for unit in ("Registry", "Counter"):
        there = [
            candidate.stage.code(before["units"][unit]["address"]),
            candidate.prod.code(after["units"][unit]["address"]),
        ]
        assert there[0]
        assert len(there[0]) == len(there[1])


def test_the_same_command_again_sends_nothing(candidate, published):
    assert candidate.promote().exit_code == 0
    nonce = candidate.prod.nonce()
    result = candidate.promote("--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["sent"] == 0
    assert candidate.prod.nonce() == nonce


def test_promoted_where_it_is_live_already_it_sends_nothing_says_so_and_is_recorded(candidate, published):
    nonce = candidate.stage.nonce()
    result = candidate.ship("promote", TAG, "--chain", "stage", "--yes")
    assert result.exit_code == 0, result.output
    assert "nothing to send" in result.output
    assert "0 transactions sent" in result.output
    assert candidate.stage.nonce() == nonce
    record = candidate.record("v1.0.0", "stage")
    assert record["promoted_from"] == TAG
    assert record["units"]["Counter"]["address"] == candidate.record(TAG, "stage")["units"]["Counter"]["address"]


def test_the_local_store_serves_without_github(candidate, monkeypatch):
    monkeypatch.delenv("GITHUB_TOKEN")
    result = candidate.promote("--local")
    assert result.exit_code == 0, result.output
    assert candidate.record("v1.0.0", "prod")["promoted_from"] == TAG


def test_a_plan_is_saved_for_approval_and_deployed_exactly(candidate, published, tmp_path):
    plan = tmp_path / "plan.json"
    saved = candidate.ship("promote", TAG, "--chain", "prod", "--out", str(plan))
    assert saved.exit_code == 0, saved.output
    assert not (candidate.root / "releases/v1.0.0").exists()
    document = json.loads(plan.read_text())
    assert (document["version"], document["promoted_from"]) == ("1.0.0", TAG)
    result = candidate.promote("--plan", str(plan), "--json")
    assert result.exit_code == 0, result.output
    assert candidate.record("v1.0.0", "prod")["plan"] == json.loads(result.stdout)["plan"]
    plain = candidate.ship("plan", "--chain", "stage", "--out", str(plan))
    assert plain.exit_code == 0, plain.output


def test_a_plan_that_is_no_promotion_is_stale_for_one(candidate, published, tmp_path):
    plan = tmp_path / "plan.json"
    assert candidate.ship("plan", "--chain", "prod", "--out", str(plan)).exit_code == 0
    refused(candidate, "SHIP-P02", "the candidate", more=("--plan", str(plan)))


def test_the_final_version_is_released_on_the_candidates_commit(candidate, published):
    commit = candidate.head
    assert candidate.promote().exit_code == 0
    assert candidate.ship("promote", TAG, "--chain", "stage", "--yes").exit_code == 0
    candidate.commit("Records of 1.0.0")
    outcome = candidate.release("1.0.0")
    assert outcome.state == "published"
    assert git(candidate.bare, "rev-parse", "v1.0.0^{commit}") == commit
    assert git(candidate.bare, "rev-parse", f"{TAG}^{{commit}}") == commit
    (release,) = [r for r in published.releases.values() if r["tag_name"] == "v1.0.0"]
    assert (release["prerelease"], release["make_latest"]) == (False, "true")
    bundle = f"bundle-{candidate.record(TAG, 'stage')['bundle'][:12]}.tar"
    assert assets(published)[bundle]["data"] == assets(published, "v1.0.0")[bundle]["data"]


def test_a_version_nothing_was_promoted_to_is_not_released(candidate, published):
    result = candidate.ship("release", "1.0.0")
    assert result.exit_code == 2
    assert "stage has no record of v1.0.0" in result.output


# ---- fault 48: bytes


def test_a_flipped_byte_in_the_bundle_is_refused(candidate, published):
    bundle = next(a for name, a in assets(published).items() if name.startswith("bundle-"))
    data = bytearray(bundle["data"])
    data[len(data) // 2] ^= 1
    bundle["data"] = bytes(data)
    refused(candidate, "SHIP-R44", "checksums.txt says")


def other_bundle(data):
    """The archive with one byte of one contract's creation code changed, digests inside kept."""
    changed = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(data)) as old, tarfile.open(fileobj=changed, mode="w") as new:
        for entry in old:
            content = old.extractfile(entry).read()
            if "/artifacts/Counter" in entry.name:
                code = json.loads(content)["creation_code"]
                content = content.replace(code.encode(), (code[:-1] + format(int(code[-1], 16) ^ 1, "x")).encode())
            entry.size = len(content)
            new.addfile(entry, io.BytesIO(content))
    return changed.getvalue()


def test_a_changed_bundle_with_checksums_to_match_is_refused_by_its_manifest(candidate, published):
    name = next(name for name in assets(published) if name.startswith("bundle-"))
    rewritten(published, {name: other_bundle(assets(published)[name]["data"])})
    refused(candidate, "SHIP-R44", "does not have the digest")
    assert candidate.ship("promote", TAG, "--chain", "prod", "--yes", "--local").exit_code == 0  # the store is unharmed


def test_a_changed_record_with_everything_to_match_is_refused(candidate, published):
    record = json.loads(assets(published)["stage.json"]["data"])
    record["approved_by"] = "somebody"
    changed = {"stage.json": pretty(record), "stage.intoto.json": pretty(statement(record, "stage.json"))}
    rewritten(published, changed)
    refused(candidate, "SHIP-R44", "the record kept here is another")
    shutil.rmtree(candidate.root / "releases")
    candidate.commit("Without records")
    # Without any copy of ours it is the journal in the release that has to agree, and it names another record.
    refused(candidate, "SHIP-R44", "stage.journal.jsonl")
    # Without that it is the chain: another code hash, and it does not.
    record["transactions"][0]["code_keccak256"] = "0x" + "11" * 32
    changed = {"stage.json": pretty(record), "stage.intoto.json": pretty(statement(record, "stage.json"))}
    rewritten(published, {**changed, "stage.journal.jsonl": None})
    refused(candidate, "SHIP-R46", "has keccak256")


def test_a_damaged_bundle_in_the_local_store_is_refused(candidate):
    bundle = candidate.root / ".ship/bundles" / candidate.record(TAG, "stage")["bundle"]
    file = next((bundle / "artifacts").iterdir())
    file.write_bytes(file.read_bytes().replace(b"6080", b"6081", 1))
    refused(candidate, "SHIP-B20", more=("--local",))


# ---- fault 44: commits


def test_a_moved_tag_is_refused(candidate, published):
    git(candidate.root, "commit", "-q", "--allow-empty", "-m", "Another")
    git(candidate.root, "push", "-q", "origin", "HEAD:other")
    git(candidate.root, "reset", "-q", "--hard", "HEAD~1")
    git(candidate.bare, "update-ref", f"refs/tags/{TAG}", "refs/heads/other")
    refused(candidate, "SHIP-R45", f"the tag {TAG} is commit")


def test_a_final_tag_on_another_commit_is_refused(candidate, published):
    git(candidate.root, "commit", "-q", "--allow-empty", "-m", "Another")
    git(candidate.root, "tag", "v1.0.0")
    refused(candidate, "SHIP-R45", "the tag v1.0.0 here is commit")


@pytest.mark.parametrize("staged", [True, False])
def test_other_sources_than_the_candidates_are_refused(candidate, published, staged):
    candidate.edit("src/Counter.sol", "contract Counter", "// another\ncontract Counter")
    if staged:
        candidate.commit("Another counter")
    refused(candidate, "SHIP-R45", "has other sources" if staged else "uncommitted changes")


def test_records_may_have_been_committed_after_the_candidate(candidate, published):
    candidate.commit("Records of the candidate")
    assert candidate.head != candidate.record(TAG, "stage")["commit"]
    assert candidate.promote().exit_code == 0
    assert candidate.record("v1.0.0", "prod")["commit"] == candidate.record(TAG, "stage")["commit"]


# ---- targets, age, ladder


def judged(candidate, now=None):
    """The steps behind the commit check, with this checkout's settings: that other settings are refused is another test's."""
    project, ui, clock = load_project(candidate.root), PlainUi(candidate.said), Quick()
    github, later = project.spec.github, {} if now is None else {"now": lambda: now}
    repository = open_repository(candidate.root, github, project.spec.release.remote, ui, clock)
    contents = Holding(project, Fetching(project, TAG, repository, ui, clock).run()).run()
    Soaking(project, contents, ("prod",), ui, clock, **later).run()
    bundle = contents.bundles[str(contents.records[0].record["bundle"])]
    return bundle, Judging(project, contents, bundle, ui).run()


def unfit(candidate, *words, error=NotPromotable, now=None):
    with pytest.raises(error) as caught:
        judged(candidate, now)
    for word in words:
        assert word in caught.value.cause


@pytest.fixture
def settings(candidate, published):
    def change(old, new):
        candidate.edit("ship.toml", old, new)

    return change


def test_a_required_target_the_candidate_never_reached_is_named(candidate, settings):
    settings('require-targets = ["stage"]', 'require-targets = ["stage", "local"]')
    unfit(candidate, "the candidate was never released to local")


def test_too_young_is_refused_and_old_enough_is_not(candidate, settings):
    settings("[promote]", '[promote]\nmin-age = "24h"')
    unfit(candidate, "old on stage, and has to be 1 d")
    unfit(candidate, "23.9 h", now=candidate.later(hours=23.9))
    unfit(candidate, "in the future, by this clock", now=candidate.later(hours=-1))
    bundle, gates = judged(candidate, candidate.later(hours=24, seconds=1))
    assert bundle.digest == candidate.record(TAG, "stage")["bundle"]
    assert [gate["name"] for gate in gates] == ["tests"]


def test_a_candidate_whose_contract_was_changed_on_chain_is_refused(candidate, published):
    registry = candidate.record(TAG, "stage")["units"]["Registry"]["address"]
    candidate.stage.call("anvil_setCode", registry, "0x6001")
    refused(candidate, "SHIP-R46", "stage", registry)


def test_a_candidate_behind_whose_proxy_something_else_runs_now_is_refused(candidate, published):
    unit = candidate.record(TAG, "stage")["units"]["Counter"]
    slot = "0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc"
    candidate.stage.call("anvil_setStorageAt", unit["address"], slot, "0x" + "11" * 32)
    refused(candidate, "SHIP-R46", "slot Counter.implementation")


def test_the_ladder_skips_no_rung(candidate, settings):
    settings('testnet = ["stage"]', 'rehearsal = ["stage"]')
    unfit(candidate, "prod is mainnet, and the candidate is proven on no testnet target")


def test_a_target_on_no_rung_is_refused(candidate, settings):
    settings(', mainnet = ["prod"]', "")
    unfit(candidate, "prod is of no known kind")


# ---- gates and names


def test_a_gate_that_never_judged_the_candidate_is_run_on_the_same_bytes(candidate, settings, published):
    record = candidate.record(TAG, "stage")
    assert [gate["name"] for gate in record["gates"]] == ["tests"]
    settings("tests = {}", 'tests = {}\nslither = { exclude = ["controlled-delegatecall"] }')
    bundle, gates = judged(candidate)
    assert {gate["name"] for gate in gates} == {"tests", "slither"}
    assert bundle.digest == record["bundle"]


def test_a_checkout_that_builds_to_other_bytes_cannot_judge_them(candidate, settings):
    settings("tests = {}", 'tests = {}\nslither = { exclude = ["controlled-delegatecall"] }')
    candidate.edit("src/Counter.sol", "contract Counter", "// another\ncontract Counter")
    unfit(candidate, "builds to bundle", error=CandidateAltered)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("v1.0.0",), "is no release candidate"),
        (("v1.0.0-beta.1",), "is no release candidate"),
        (("v1.0.0-rc.01",), "is no release candidate"),
        ((TAG, "--to", "1.1.0"), "becomes v1.0.0, not v1.1.0"),
        (("v9.0.0-rc.1",), "has no published release v9.0.0-rc.1"),
    ],
)
def test_what_is_no_candidate_is_refused(candidate, published, arguments, words):
    result = candidate.ship("promote", *arguments, "--chain", "prod", "--yes")
    assert result.exit_code == 2
    assert words in result.output


def test_every_reason_is_named_at_once(candidate, settings):
    settings('require-targets = ["stage"]', 'require-targets = ["stage", "local"]\nmin-age = "2d"')
    settings(', mainnet = ["prod"]', "")
    unfit(candidate, "never released to local", "has to be 2 d", "of no known kind")
