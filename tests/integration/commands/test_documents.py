"""Every ``--json`` document is what its published schema says, and the only thing on stdout."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

SCHEMAS = Path(__file__).parents[3] / "docs" / "schema"


def held(result, schema):
    """The document on stdout, valid by ``docs/schema/<schema>.schema.json``."""
    document = json.loads(result.stdout)
    rules = json.loads((SCHEMAS / f"{schema}.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(rules)
    jsonschema.validate(document, rules, cls=jsonschema.Draft202012Validator)
    return document


@pytest.mark.parametrize(
    ("arguments", "schema"),
    [
        (["status"], "status"),
        (["doctor"], "doctor"),
        (["verify", "--chain", "local"], "verify"),
        (["record", "verify"], "record-verification"),
        (["deploy", "--chain", "local"], "outcome"),
    ],
)
def test_documents_of_a_released_project(released, arguments, schema):
    result = released.ship(*arguments, "--json")
    assert result.exit_code == 0, result.output
    assert held(result, schema)["kind"] == f"contract-ship/{schema}"


def test_outcome_of_a_first_deployment(released):
    assert {unit["state"] for unit in released.outcome["units"].values()} <= {"proven", "final"}
    rules = json.loads((SCHEMAS / "outcome.schema.json").read_text())
    jsonschema.validate(released.outcome, rules, cls=jsonschema.Draft202012Validator)


def test_outcome_of_a_refused_deployment(copy):
    copy.edit("ship.toml", 'version = "1.0.0"', 'version = "one"')
    result = copy.ship("deploy", "--chain", "local", "--json")
    assert result.exit_code == 2
    document = held(result, "outcome")
    assert (document["outcome"], document["error"]["code"], document["error"]["file"]) == (
        "refused",
        "SHIP-M27",
        "ship.toml",
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["status", "-C", "."],
        ["verify", "--chain", "local", "-C", "."],
        ["record", "show", "v9.9.9", "-C", "."],
        ["record", "verify", "-C", "."],
        ["signer", "address", "--chain", "local", "-C", "."],
        ["build", "-C", "."],
        ["test", "-C", "."],
        ["doctor", "--chain", "local", "-C", "."],
    ],
)
def test_a_refusal_is_a_document_too(tmp_path, monkeypatch, ship, arguments):
    monkeypatch.chdir(tmp_path)
    result = ship(*arguments, "--json")
    assert result.exit_code == 2
    assert held(result, "error")["outcome"] == "refused"
    assert result.stderr.startswith("SHIP-")


def test_status_of_an_unfinished_plan_and_of_a_broken_target(copy):
    journal = copy.root / "deployments/local/journal.jsonl"
    rows = journal.read_bytes().splitlines(keepends=True)
    kept = next(i for i, row in enumerate(rows) if b'"kind":"tx.mined"' in row)
    journal.write_bytes(b"".join(rows[:kept]))
    document = held(copy.ship("status", "--json"), "status")
    unfinished = document["targets"][0]["unfinished"]
    assert unfinished["resume"] == "ship deploy --chain local"
    assert sum(unfinished["stages"].values()) == unfinished["actions"] == 4
    (copy.root / "manifests/local.toml").write_text("schema = 1\nchain = 7\n")
    result = copy.ship("status", "--json")
    assert result.exit_code == 2
    assert held(result, "status")["targets"][0]["error"]["file"] == "manifests/local.toml"
