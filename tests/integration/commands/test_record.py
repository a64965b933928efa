"""``ship record``: a record is proven by files, signatures and chain, or it is said what does not hold."""

from __future__ import annotations

import json
import shutil

import pytest


def verify(release, *arguments):
    result = release.ship("record", "verify", "--json", *arguments)
    records = json.loads(result.stdout)["records"]
    return {f["what"]: f for f in records[-1]["findings"]}, result.exit_code


def bad(findings):
    return sorted(what for what, finding in findings.items() if finding["state"] not in {"ok", "note"})


def test_a_fresh_record_is_proven(released):
    findings, code = verify(released)
    assert code == 0
    assert {f["state"] for f in findings.values()} == {"ok"}
    assert {f["area"] for f in findings.values()} == {"files", "signatures", "chain"}
    assert {"record", "statement", "journal", "journal entry", "plan", "bundle", "derivation", "signer"} <= set(
        findings
    )
    assert {"chain id", "genesis", "transaction Counter", "code Counter", "slot Counter.implementation"} <= set(
        findings
    )
    assert {"check entry", "check count"} <= set(findings)


@pytest.mark.parametrize(
    ("file", "old", "new", "what"),
    [
        (
            "releases/v1.0.0/local.json",
            '"approved_by": "local"',
            '"approved_by": "prompt"',
            ["derivation", "journal entry", "statement"],
        ),
        ("releases/v1.0.0/local.json", '"dirty": false', '"dirty":  false', ["journal entry", "record", "statement"]),
        (
            "releases/v1.0.0/local.json",
            '"tag": "v1.0.0"',
            '"tag": "v1.0.1"',
            ["derivation", "journal entry", "record", "statement"],
        ),
        ("releases/v1.0.0/local.intoto.json", '"project": "counter"', '"project": "other"', ["statement"]),
        ("deployments/local/journal.jsonl", '"version":"1.0.0"', '"version":"1.0.1"', ["journal"]),
    ],
)
def test_a_changed_file_is_altered(copy, file, old, new, what):
    copy.edit(file, old, new)
    findings, code = verify(copy)
    assert (bad(findings), code) == (what, 2)
    assert {findings[w]["state"] for w in what} == {"altered"}


def test_a_record_that_is_no_record(copy):
    (copy.root / "releases/v1.0.0/local.json").write_text("{}")
    findings, code = verify(copy)
    assert (bad(findings), code) == (["record"], 2)


def test_missing_files_are_named(copy):
    (copy.root / "releases/v1.0.0/local.intoto.json").unlink()
    for plan in (copy.root / "deployments/local/plans").iterdir():
        plan.unlink()
    findings, code = verify(copy)
    assert (bad(findings), code) == (["plan", "statement"], 2)


def test_a_bundle_that_is_elsewhere_is_no_failure_and_a_damaged_one_is(copy):
    bundles = copy.root / ".ship/bundles"
    artifact = next(bundles.glob("*/artifacts/Counter-*.json"))
    artifact.write_bytes(artifact.read_bytes().replace(b"src/Counter.sol", b"src/Kounter.sol"))
    findings, code = verify(copy)
    assert (bad(findings), code) == (["bundle"], 2)
    shutil.rmtree(bundles)
    findings, code = verify(copy)
    assert (findings["bundle"]["state"], code) == ("note", 0)


def test_the_chain_contradicts_a_forged_record(copy):
    """Whoever rewrites the record, its statement and the journal still has the chain against them."""
    from chains.canonical import canonical, pretty, sha256_hex
    from pipeline.record import statement

    path = copy.root / "releases/v1.0.0/local.json"
    record = json.loads(path.read_bytes())
    forged = record["transactions"][0]["code_keccak256"]
    journal = copy.root / "deployments/local/journal.jsonl"
    prev, lines = "0" * 64, []
    for line in journal.read_text().splitlines():
        row = json.loads(line.replace(forged, "0x" + "ab" * 32))
        if row["kind"] == "plan.finished":
            record["transactions"][0]["code_keccak256"] = "0x" + "ab" * 32
            row["data"]["sha256"] = sha256_hex(pretty(record))
        row["prev"] = prev
        del row["hash"]
        prev = sha256_hex(canonical(row))
        lines.append(canonical({**row, "hash": prev}).decode() + "\n")
    journal.write_text("".join(lines))
    path.write_bytes(pretty(record))
    path.with_suffix(".intoto.json").write_bytes(pretty(statement(record, "local.json")))
    findings, code = verify(copy)
    assert code == 4
    assert bad(findings) == ["code Registry"]


def test_a_chain_that_was_begun_anew_is_not_believed(copy):
    """The genesis differs, and nothing else is asked of it."""
    shutil.rmtree(copy.root / ".ship/localnet")
    findings, code = verify(copy)
    assert code == 4
    assert "genesis" in bad(findings)
    assert not any(what.startswith("transaction") for what in findings)


def test_a_chain_that_does_not_answer_proves_nothing(copy):
    manifest = copy.root / "manifests/local.toml"
    manifest.write_text(manifest.read_text() + '\n[rpc]\nendpoints = ["http://127.0.0.1:9"]\n')
    findings, code = verify(copy)
    assert code == 3
    assert findings["chain id"]["state"] == "unanswered"
    assert "127.0.0.1:9" in findings["chain id"]["detail"]


def test_an_older_record_stays_provable_after_an_upgrade(copy):
    copy.edit("src/Counter.sol", "count += 1", "count += 2")
    copy.edit("ship.toml", 'version = "1.0.0"', 'version = "1.1.0"')
    outcome = copy.deploy()
    assert outcome["sent"] == 2
    result = copy.ship("record", "verify", "--json")
    assert result.exit_code == 0, result.stdout
    first, second = json.loads(result.stdout)["records"]
    assert [first["tag"], second["tag"]] == ["v1.0.0", "v1.1.0"]
    assert first["findings"][-1]["state"] == "note"
    assert "slot Counter.implementation" in {f["what"] for f in second["findings"]}
    verified = json.loads(copy.ship("verify", "--chain", "local", "--json").stdout)
    assert verified["ok"]
    assert {c["unit"] + c["part"]: c["version"] for c in verified["contracts"]} == {
        "Registryaddress": "1.0.0",
        "Counteraddress": "1.0.0",
        "Counterimplementation": "1.1.0",
    }


def test_records_are_listed_and_shown(released):
    listed = released.ship("record", "show").stdout
    assert "v1.0.0  local" in listed
    shown = released.ship("record", "show", "1.0.0").stdout
    for word in ("signer", "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266", "transactions", "proofs", "checks", "715"):
        assert word in shown
    document = json.loads(released.ship("record", "show", "v1.0.0", "--chain", "local", "--json").stdout)
    assert document["records"][0]["record"]["tag"] == "v1.0.0"


@pytest.mark.parametrize("arguments", [["v1.0.1"], ["v1.0.0", "--chain", "base"], ["--chain", "base"]])
def test_a_record_that_is_not_there(released, arguments):
    result = released.ship("record", "show", *arguments)
    assert result.exit_code == 2
    assert "SHIP-R02" in result.stderr
    assert "v1.0.0 on local" in result.stderr
