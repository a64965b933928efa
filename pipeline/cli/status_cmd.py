"""``ship status``: what is live where."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli.options import chain_option, json_option, project_option

__all__ = ["command"]


@click.command(name="status")
@project_option
@chain_option(required=False)
@json_option
@click.pass_context
def command(ctx: click.Context, root: Path, chain: str | None, as_json: bool) -> None:
    """Say what is live where, how it differs from this project, and whether the chain drifted from the record.

    Looks at every target that was ever deployed to, or at TARGET. Compiles nothing, opens no key, sends nothing.
    Exit code 4 when the chain does not hold what was recorded.
    """
    import sys

    from pipeline.cli.show import json_document, json_errors
    from pipeline.status.looking import look
    from pipeline.status.text import render_status
    from pipeline.ui.plain import PlainUi
    from pipeline.ui.table import say

    with json_errors(as_json=as_json):
        status = look(root, chain, PlainUi(sys.stderr))
    if as_json:
        json_document(status.to_json())
    else:
        say(render_status(status))
    ctx.exit(status.exit_code)
