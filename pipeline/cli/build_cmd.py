"""``ship build``: sources to the bundle that is released."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli.options import chain_option, json_option, make_ui, project_option

__all__ = ["command"]


@click.command(name="build")
@project_option
@chain_option(required=False)
@json_option
def command(root: Path, chain: str | None, as_json: bool) -> None:
    """Build the release bundle: what is tested, deployed and released, named by its digest.

    Holds the contracts of all targets, or of TARGET. What was built before and has not changed is not built again.
    """
    from pipeline.cli.show import json_document, json_errors
    from pipeline.trying import build_document, build_project, render_build
    from pipeline.ui.table import say

    ui = make_ui(as_json=as_json)
    with json_errors(as_json=as_json):
        try:
            project, built = build_project(root, chain, ui)
        finally:
            ui.close()
    if as_json:
        json_document(build_document(project, built))
    else:
        say(["", *render_build(project, built)])
