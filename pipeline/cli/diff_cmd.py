"""``ship diff``."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli.options import chain_option, json_option, project_option

__all__ = ["command"]


@click.command(name="diff")
@click.argument("old")
@click.argument("new")
@project_option
@chain_option(required=False)
@json_option
def command(root: Path, old: str, new: str, chain: str | None, as_json: bool) -> None:
    """Show what differs between the releases OLD and NEW: code, interfaces, storage, addresses, authorities, programs.

    Read from records and bundles; no chain is asked.
    """
    from pipeline.cli.show import json_document, json_errors
    from pipeline.comparing.reading import diff
    from pipeline.comparing.text import render
    from pipeline.manifest.project import load_project
    from pipeline.ui.table import say

    with json_errors(as_json=as_json):
        document = diff(load_project(root), old, new, chain)
    if as_json:
        json_document(document)
    else:
        say(render(document))
