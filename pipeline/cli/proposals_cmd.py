"""``ship proposals``: what waits for the owners of Safes."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli.options import chain_option, json_option, project_option

__all__ = ["command"]


@click.group(name="proposals")
def command() -> None:
    """Show what waits for the owners of a Safe, or import their signatures."""


@command.command()
@project_option
@chain_option()
@json_option
def show(root: Path, chain: str, as_json: bool) -> None:
    """List the proposals of TARGET's unfinished plan: hash, signatures so far, file."""
    from pipeline.cli.show import json_document, json_errors
    from pipeline.proposals.listing import list_proposals, render
    from pipeline.ui.table import say

    with json_errors(as_json=as_json):
        listed = list_proposals(root, chain)
    if as_json:
        json_document({"schema": 1, "kind": "contract-ship/proposals", "proposals": listed})
    else:
        say(render(listed))


@command.command(name="import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@project_option
@chain_option()
@json_option
def import_(root: Path, file: Path, chain: str, as_json: bool) -> None:
    """Take the owners' signatures in FILE into the journal of TARGET.

    FILE is an exported proposal with signatures added, or {"safeTxHash": …, "signatures": [{"signature": …}]}. Each
    signature is recovered and must be by an owner. Then `ship deploy` goes on.
    """
    from pipeline.cli.options import make_ui
    from pipeline.cli.show import json_document, json_errors
    from pipeline.proposals.importing import import_signatures

    ui = make_ui(as_json=as_json)
    with json_errors(as_json=as_json):
        taken = import_signatures(root, chain, file, ui)
    if as_json:
        json_document({"schema": 1, "kind": "contract-ship/imported", "signatures": taken})
    else:
        for entry in taken:
            click.echo(f"{'known ' if entry['known'] else 'taken '} {entry['owner']} for {entry['safeTxHash']}")
