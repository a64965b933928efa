"""``ship history``."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli.options import chain_option, json_option, project_option

__all__ = ["command"]


@click.command(name="history")
@project_option
@chain_option(required=False)
@json_option
def command(root: Path, chain: str | None, as_json: bool) -> None:
    """List every release, adoption, rollback and rotation, target by target, oldest first.

    Read from journals and records; no chain is asked. Exit code 2 when a journal cannot be read.
    """
    from pipeline.cli.show import json_document, json_errors
    from pipeline.history.reading import read_history
    from pipeline.history.text import document, render
    from pipeline.manifest.project import load_project
    from pipeline.ui.table import say

    with json_errors(as_json=as_json):
        project = load_project(root)
        history = read_history(root, chain)
    if as_json:
        json_document(document(project, history))
    else:
        say(render(history))
    if history.problems:
        raise click.exceptions.Exit(2)
