"""``ship verify-release``: what a stranger can prove with nothing but the published files and the chain."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chains.canonical import pretty
from pipeline.record import statement
from pipeline.release.assets import File, checksums
from tests.integration.commands.conftest import run_ship
from tests.integration.promotion.conftest import TAG
from tests.integration.promotion.test_promote import assets, rewritten
from tests.support.anvil import DEPLOYER
from tests.support.github.fake import REPOSITORY
from tests.support.schemas import hold


@pytest.fixture
def stranger(candidate, published, tmp_path, monkeypatch):
    """An empty folder on a machine that has neither the project nor a token; the repository is public."""
    published.public = True
    monkeypatch.delenv("GITHUB_TOKEN")
    monkeypatch.chdir((tmp_path / "empty").mkdir() or tmp_path / "empty")
    return candidate


def verify(stranger, *more, rpc=True):
    arguments = ("--rpc", f"stage={stranger.stage.url}") if rpc else ()
    result = run_ship("verify-release", TAG, "--json", *arguments, *more)
    document = json.loads(result.stdout)
    if document["kind"] != "contract-ship/error":
        hold(document)
    return result.exit_code, document


def from_github(stranger, *more, rpc=True):
    return verify(stranger, "--repository", REPOSITORY, *more, rpc=rpc)


def downloaded(github, folder: Path):
    folder.mkdir()
    for name, asset in assets(github).items():
        (folder / name).write_bytes(asset["data"])
    return folder


def by_state(document, *states):
    found = [*document["release"], *(f for record in document["records"] for f in record["findings"])]
    return {f["what"]: f["detail"] for f in found if f["state"] in states}


BAD = ("failed", "altered", "missing", "unanswered")


def test_a_release_is_proven_from_an_empty_folder_without_a_token(stranger):
    code, document = from_github(stranger)
    assert code == 0, document
    assert document["proven"] is True
    fine = by_state(document, "ok")
    assert {
        "checksums.txt", "stage.json", "stage.intoto.json", "stage.rollback.json", "commit", "chain id", "genesis",
    } <= set(fine)  # fmt: skip
    proofs = {what: detail for what, detail in fine.items() if what.startswith("bytes ")}
    assert len(proofs) == 3  # the registry, the implementation, the proxy
    assert all("runtime match, creation match, re-execution match" in detail for detail in proofs.values())
    assert "slot Counter.implementation" in fine
    assert list(Path.cwd().iterdir()) == []


def test_a_downloaded_folder_is_proven_too_but_for_what_the_tag_stands(stranger, published, tmp_path):
    code, document = verify(stranger, "--from", str(downloaded(published, tmp_path / "release")))
    assert code == 0, document
    assert "was not asked" in by_state(document, "note")["commit"]


def test_every_asset_changed_alone_is_found(stranger, published, tmp_path):
    folder = downloaded(published, tmp_path / "release")
    for path in sorted(folder.iterdir()):
        kept = path.read_bytes()
        middle = len(kept) // 2
        path.write_bytes(kept[:middle] + bytes([kept[middle] ^ 1]) + kept[middle + 1 :])
        code, document = verify(stranger, "--from", str(folder))
        assert code in {2, 4}, path.name
        assert document["proven"] is False
        assert by_state(document, *BAD), path.name
        path.unlink()
        code, document = verify(stranger, "--from", str(folder))
        assert code == 2, path.name
        path.write_bytes(kept)


def test_a_record_that_lies_about_the_chain_is_contradicted(stranger, published):
    record = json.loads(assets(published)["stage.json"]["data"])
    record["units"]["Registry"]["address"] = "0x" + "11" * 20
    record["transactions"][0]["gas_used"] += 1
    rewritten(published, {"stage.json": pretty(record), "stage.intoto.json": pretty(statement(record, "stage.json"))})
    code, document = from_github(stranger)
    assert code == 4
    assert "recorded was" in next(iter(by_state(document, "failed").values()))


def test_other_code_on_chain_is_contradicted(stranger):
    registry = stranger.record(TAG, "stage")["units"]["Registry"]["address"]
    code = stranger.stage.code(registry)
    stranger.stage.call("anvil_setCode", registry, "0x" + code.hex()[:-2] + "00")
    exit_code, document = from_github(stranger)
    assert exit_code == 4
    assert {"bytes Registry", "code Registry"} <= set(by_state(document, "failed"))


def test_a_proxy_that_was_moved_since_is_said_and_not_held_against_the_release(stranger):
    unit = stranger.record(TAG, "stage")["units"]["Counter"]
    slot = "0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc"
    stranger.stage.call("anvil_setStorageAt", unit["address"], slot, "0x" + "11" * 32)
    code, document = from_github(stranger)
    assert code == 0
    assert "changed it" in by_state(document, "note")["slot Counter.implementation"]


def test_another_chain_behind_the_endpoint_proves_nothing(stranger):
    code, document = verify(stranger, "--repository", REPOSITORY, "--rpc", f"stage={stranger.prod.url}", rpc=False)
    assert code == 4
    assert "chain id" in by_state(document, "failed")


def test_without_an_endpoint_the_chain_is_unanswered_and_the_remedy_named(stranger):
    code, document = from_github(stranger, rpc=False)
    assert code == 3
    assert "--rpc stage=URL" in by_state(document, "unanswered")["endpoint"]


def test_a_moved_tag_is_contradicted(stranger, published):
    from tests.integration.release.conftest import git

    git(stranger.root, "commit", "-q", "--allow-empty", "-m", "Another")
    git(stranger.root, "push", "-q", "origin", "HEAD:other")
    git(stranger.bare, "update-ref", f"refs/tags/{TAG}", "refs/heads/other")
    code, document = from_github(stranger)
    assert code == 4
    assert f"the tag {TAG} is commit" in by_state(document, "failed")["commit"]


def test_a_record_of_a_family_this_version_does_not_know_is_a_clean_refusal(stranger, published):
    record = {**json.loads(assets(published)["stage.json"]["data"]), "family": "cosmos"}
    rewritten(published, {"stage.json": pretty(record), "stage.intoto.json": pretty(statement(record, "stage.json"))})
    code, document = from_github(stranger)
    assert code == 2
    assert "cannot read records of cosmos" in by_state(document, "missing")["family"]


def test_a_journal_among_the_assets_is_held_to_its_hash_chain(stranger, published, tmp_path):
    folder = downloaded(published, tmp_path / "release")
    journal = (stranger.root / "deployments/stage/journal.jsonl").read_bytes()
    for data, code, state in ((journal, 0, "ok"), (journal.replace(b'"nonce":0', b'"nonce":9', 1), 2, "altered")):
        (folder / "journal.jsonl").write_bytes(data)
        files = [File(p.name, p.read_bytes()) for p in folder.iterdir() if p.name != "checksums.txt"]
        (folder / "checksums.txt").write_bytes(checksums(files))
        exit_code, document = verify(stranger, "--from", str(folder))
        assert exit_code == code
        assert "journal.jsonl" in by_state(document, state)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--repository", "acme/nothing"), 2, "SHIP-"),
        (("--repository", REPOSITORY, "--rpc", "nonsense"), 2, "SHIP-R42"),
    ],
)
def test_what_cannot_be_asked_is_refused(stranger, arguments, code, words):
    result = run_ship("verify-release", TAG, *arguments)
    assert result.exit_code == code
    assert words in result.output


def test_no_such_release(stranger):
    result = run_ship("verify-release", "v9.9.9", "--repository", REPOSITORY)
    assert result.exit_code == 2
    assert "has no published release v9.9.9" in result.output


# ---- the release key


SIGNER = f'schema = 1\n[signer]\nbackend = "keystore"\nfile = "key.json"\npassword = "file:password"\naddress = "{DEPLOYER}"\n'


def signed(candidate, *more):
    (candidate.root.parent / "signer.toml").write_text(SIGNER)
    for name in ("key.json", "password"):
        (candidate.root.parent / name).write_bytes((candidate.root / name).read_bytes())
    (candidate.root.parent / "password").chmod(0o600)
    return candidate.ship("release", "--sign-with", str(candidate.root.parent / "signer.toml"), *more)


@pytest.fixture
def signed_stranger(candidate, github, tmp_path, monkeypatch):
    result = signed(candidate)
    assert result.exit_code == 0, result.output
    github.public = True
    monkeypatch.delenv("GITHUB_TOKEN")
    monkeypatch.chdir(tmp_path)
    return candidate


def test_a_signed_release_is_proven_against_the_pinned_address(signed_stranger):
    code, document = from_github(signed_stranger, "--signer", DEPLOYER)
    assert code == 0, document
    assert document["signer"] == DEPLOYER
    assert "checksums.txt.sig" in by_state(document, "ok")


def test_another_address_than_the_pinned_one_is_contradicted(signed_stranger):
    code, document = from_github(signed_stranger, "--signer", "0x" + "22" * 20)
    assert code == 4
    assert f"signed by {DEPLOYER}, not by" in by_state(document, "failed")["checksums.txt.sig"]


def test_without_a_pinned_address_a_signature_proves_nothing(signed_stranger):
    code, document = from_github(signed_stranger)
    assert code == 0
    assert "checksums.txt.sig" in by_state(document, "note")


def test_a_release_changed_after_signing_is_contradicted(signed_stranger, github):
    rewritten(github, {"sbom.cdx.json": b"{}\n"})
    code, document = from_github(signed_stranger, "--signer", DEPLOYER)
    assert code == 4
    assert "another checksums.txt" in by_state(document, "failed")["checksums.txt.sig"]


def test_an_unsigned_release_does_not_satisfy_a_pinned_address(stranger):
    code, document = from_github(stranger, "--signer", DEPLOYER)
    assert code == 2
    assert by_state(document, "missing")["checksums.txt.sig"] == "the release is not signed"


def test_a_signature_is_made_once_also_when_another_machine_goes_on(candidate, github):
    assert signed(candidate, "--draft").exit_code == 0
    first = assets(github)["checksums.txt.sig"]["data"]
    (kept,) = (candidate.root / ".ship/signatures").iterdir()
    kept.unlink()
    (candidate.root.parent / "signer.toml").write_text(SIGNER)
    (candidate.root.parent / "key.json").unlink(missing_ok=True)
    again = candidate.ship("release", "--sign-with", str(candidate.root.parent / "signer.toml"))
    assert again.exit_code == 0, again.output
    assert assets(github)["checksums.txt.sig"]["data"] == first
    assert candidate.ship("release", "--sign-with", str(candidate.root.parent / "signer.toml")).exit_code == 0


def test_a_release_key_without_a_pinned_address_is_refused(candidate, github):
    (candidate.root.parent / "signer.toml").write_text(SIGNER.replace("address", "# address"))
    result = candidate.ship("release", "--sign-with", str(candidate.root.parent / "signer.toml"))
    assert result.exit_code == 2
    assert "pins no address" in result.output
    assert github.writes == []
