"""``ship doctor``: what is ready, what is missing, and how to get it."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli.options import chain_option, json_option, project_option

__all__ = ["command"]


@click.command(name="doctor")
@project_option
@chain_option(required=False)
@json_option
@click.pass_context
def command(ctx: click.Context, root: Path, chain: str | None, as_json: bool) -> None:
    """Say which tools, endpoints and keys are ready, and how to get what is missing.

    Looks at this machine, the project here (if there is one) and every target, or only TARGET. Changes nothing, opens no
    key. Exit code 2 when something a release needs is missing.
    """
    from pipeline.cli.show import json_document, json_errors
    from pipeline.doctor.doctoring import examine
    from pipeline.doctor.text import render_report
    from pipeline.ui.table import say

    with json_errors(as_json=as_json):
        report = examine(root, chain)
    if as_json:
        json_document(report.to_json())
    else:
        say(render_report(report))
    ctx.exit(0 if report.ok else 2)
