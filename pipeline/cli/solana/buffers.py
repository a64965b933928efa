"""``ship solana buffers``."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli.options import chain_option, json_option, make_ui, password_options, project_option
from pipeline.signing.password import PasswordOptions

__all__ = ["buffers"]


@click.command(name="buffers")
@project_option
@chain_option()
@click.option("--close", "named", multiple=True, metavar="ADDRESS", help="Close this buffer; may be given again.")
@click.option("--close-orphans", "orphans", is_flag=True, help="Close every buffer that an abandoned plan left.")
@click.option("--yes", is_flag=True, help="Approve the plan without asking.")
@password_options
@json_option
def buffers(
    root: Path, chain: str, named: tuple[str, ...], orphans: bool, yes: bool, password: PasswordOptions, as_json: bool
) -> None:
    """List the buffers of TARGET's signer and payer: what each holds, and what it is by the journal.

    staged: the warm way back of a program; closed only by its address. unfinished: of the plan under way; never closed.
    orphan: of a plan that was given up. unknown: of no plan here. Closing returns the rent to the payer.
    """
    from pipeline.cli.show import json_document, json_errors
    from pipeline.manifest.families import solana_target
    from pipeline.manifest.project import load_project
    from pipeline.programs.errands.closing import close_buffers, render_buffers, show_buffers
    from pipeline.programs.errands.running import ErrandOptions
    from pipeline.ui.table import say

    ui = make_ui(as_json=as_json)
    with json_errors(as_json=as_json):
        try:
            project = load_project(root)
            target = solana_target(project, chain, "buffers are a matter of Solana")
            if named or orphans:
                shown = close_buffers(project, target, named, ErrandOptions(yes, password), ui, orphans=orphans)
            else:
                shown = show_buffers(project, target, ui)
        finally:
            ui.close()
    if as_json:
        json_document(shown.to_json())
        return
    say(render_buffers(shown))
