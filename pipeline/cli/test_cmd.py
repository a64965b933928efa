"""``ship test``: the gates, by themselves."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli.options import chain_option, json_option, make_ui, project_option

__all__ = ["command"]


@click.command(name="test")
@project_option
@chain_option(required=False)
@click.option("--again", is_flag=True, help="Also run gates that passed on these very bytes before.")
@json_option
def command(root: Path, chain: str | None, again: bool, as_json: bool) -> None:
    """Build the release bundle and run the gates of ship.toml on it: tests, Slither.

    What must hold before anything may be deployed. A gate that cannot run has failed. Exit code 2 when one fails.
    """
    from pipeline.cli.show import json_document, json_errors
    from pipeline.trying import render_tested, test_project
    from pipeline.ui.table import say

    ui = make_ui(as_json=as_json)
    with json_errors(as_json=as_json):
        try:
            tested = test_project(root, chain, ui, again=again)
        finally:
            ui.close()
    if as_json:
        json_document(tested.to_json())
    elif tested.failure is None:
        say(["", render_tested(tested)])
    if tested.failure is not None:
        raise tested.failure
