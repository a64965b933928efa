"""``ship record``: show and verify release records."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli.options import chain_option, json_option, project_option

__all__ = ["command"]


def _complete_tag(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    folder = Path(ctx.params.get("directory") or ".") / "releases"
    return sorted(path.name for path in folder.glob(f"{incomplete}*") if path.is_dir())


@click.group(name="record")
def command() -> None:
    """Show or verify release records."""


@command.command()
@click.argument("tag", required=False, shell_complete=_complete_tag)
@project_option
@chain_option(required=False)
@json_option
def show(root: Path, tag: str | None, chain: str | None, as_json: bool) -> None:
    """List the release records, or show those of TAG: addresses, transactions, signer, gates, proofs, checks, cost."""
    from pipeline.cli.show import json_document, json_errors
    from pipeline.records.finding import find_records, load
    from pipeline.records.text import render_list, render_record
    from pipeline.ui.table import say

    with json_errors(as_json=as_json):
        records = [(file, load(file)) for file in find_records(root, tag, chain)]
    if as_json:
        listed = [{"path": file.shown(root), "record": record} for file, record in records]
        json_document({"schema": 1, "kind": "contract-ship/records", "records": listed})
    elif tag is None:
        say(render_list(records))
    else:
        for position, (file, record) in enumerate(records):
            say(["", *render_record(file, record, root)] if position else render_record(file, record, root))


@command.command()
@click.argument("tag", required=False, shell_complete=_complete_tag)
@project_option
@chain_option(required=False)
@json_option
@click.pass_context
def verify(ctx: click.Context, root: Path, tag: str | None, chain: str | None, as_json: bool) -> None:
    """Prove the release records of TAG, or all of them, anew.

    Derives every digest and the record itself again, recovers the signer of each transaction, and asks the chain through
    a second client (web3.py). Exit code 4 when anything contradicts the record, 2 when a file is missing or altered, 3
    when the chain did not answer.
    """
    from pipeline.cli.show import json_document, json_errors
    from pipeline.records.findings import exit_code
    from pipeline.records.text import render_verified
    from pipeline.records.verifying import verify_records
    from pipeline.ui.table import say

    with json_errors(as_json=as_json):
        results = verify_records(root, tag, chain)
    if as_json:
        document = {"schema": 1, "kind": "contract-ship/record-verification", "proven": exit_code(results) == 0}
        json_document({**document, "records": [result.to_json() for result in results]})
    else:
        say(render_verified(results))
    ctx.exit(exit_code(results))
