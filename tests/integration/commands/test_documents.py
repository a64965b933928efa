"""Every ``--json`` document is what its published schema says, and the only thing on stdout."""

from __future__ import annotations

import json

import click
import pytest

from pipeline.cli.group import ship as ship_group
from tests.support.schemas import SCHEMAS, hold


def held(result, schema):
    """The document on stdout, valid by ``docs/schema/<schema>.schema.json``."""
    document = json.loads(result.stdout)
    assert document["kind"] == f"contract-ship/{schema}"
    hold(document)
    return document


def _with_json(command, path):
    """The full names of all commands under ``command`` that have ``--json``."""
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            yield from _with_json(command.get_command(context, name), f"{path} {name}")
    elif any(p.name == "as_json" for p in command.params):
        yield path


def test_every_command_with_json_has_a_published_schema():
    titles = ", ".join(json.loads(path.read_text())["title"] for path in SCHEMAS.glob("*.json"))
    commands = list(_with_json(ship_group, "ship"))
    assert len(commands) > 10
    assert [name for name in commands if f"{name} --json" not in titles] == []


@pytest.mark.parametrize(
    ("arguments", "schema"),
    [
        (["status"], "status"),
        (["doctor"], "doctor"),
        (["verify", "--chain", "local"], "verify"),
        (["record", "verify"], "record-verification"),
        (["deploy", "--chain", "local"], "outcome"),
        (["plan", "--chain", "local"], "plan"),
        (["build"], "build"),
        (["test"], "test"),
        (["record", "show", "v1.0.0"], "records"),
        (["signer", "address", "--chain", "local"], "signer"),
        (["version"], "version"),
        (["history"], "history"),
        (["diff", "v1.0.0", "1.0.0"], "diff"),
        (["proposals", "show", "--chain", "local"], "proposals"),
    ],
)
def test_documents_of_a_released_project(released, arguments, schema):
    result = released.ship(*arguments, "--json")
    assert result.exit_code == 0, result.output
    held(result, schema)


def test_outcome_of_a_first_deployment(released):
    assert {unit["state"] for unit in released.outcome["units"].values()} <= {"proven", "final"}
    hold(released.outcome)


def test_a_plan_with_something_to_do(copy):
    more = '[contracts.Second]\nsource = "src/Registry.sol:Registry"\nargs = ["${deployer}"]\n'
    more += '[calls.enter]\nto = "${contracts.Second}"\ncall = "set(bytes32,address)"\n'
    more += 'args = ["${keccak:A}", "${deployer}"]\n'
    (copy.root / "ship.toml").write_text((copy.root / "ship.toml").read_text() + more)
    result = copy.ship("plan", "--chain", "local", "--json")
    document = held(result, "plan")
    assert {action["kind"] for action in document["body"]["actions"]} == {"create", "call"}


def test_a_key_that_was_made(ship, tmp_path):
    (tmp_path / "password").write_text("correct horse battery\n")
    (tmp_path / "password").chmod(0o600)
    out = tmp_path / "key.json"
    result = ship("signer", "new", "--out", str(out), "--password-file", str(tmp_path / "password"), "--json")
    assert held(result, "signer")["file"] == str(out)


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
        ["plan", "--chain", "local", "-C", "."],
        ["adopt", "--chain", "local", "list.json", "-C", "."],
        ["proposals", "show", "--chain", "local", "-C", "."],
        ["build", "-C", "."],
        ["version", "-C", "."],
        ["history", "-C", "."],
        ["diff", "1.0.0", "1.1.0", "-C", "."],
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
