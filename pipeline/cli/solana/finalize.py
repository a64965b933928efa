"""``ship solana finalize``."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli.options import chain_option, json_option, make_ui, password_options, project_option
from pipeline.signing.password import PasswordOptions

__all__ = ["finalize"]


@click.command(name="finalize")
@project_option
@chain_option()
@click.option("--program", "name", required=True, metavar="NAME", help="The program of ship.toml.")
@click.option("--confirm", metavar="ADDRESS", help="The program's address once more; without it you are asked for it.")
@click.option("--yes", is_flag=True, help="Approve the plan without asking. The address is asked for all the same.")
@password_options
@json_option
def finalize(
    root: Path, chain: str, name: str, confirm: str | None, yes: bool, password: PasswordOptions, as_json: bool
) -> None:
    """Make program NAME on TARGET immutable FOR EVER: no upgrade, no rollback, and no key can undo it.

    Asked for twice: its plan is approved like any, and its address has to be given once more.
    """
    import sys

    from pipeline.cli.show import json_document, json_errors
    from pipeline.manifest.families import solana_target
    from pipeline.manifest.project import load_project
    from pipeline.programs.errands.finalizing import finalize_program, program_address
    from pipeline.programs.errands.running import ErrandOptions

    ui = make_ui(as_json=as_json)
    with json_errors(as_json=as_json):
        try:
            project = load_project(root)
            target = solana_target(project, chain, "programs are made immutable on Solana alone")
            address = program_address(project, target, name, ui)
            if confirm is None and sys.stdin.isatty():
                click.echo(
                    f"{name} on {chain} is {address}. Made immutable, nobody can ever change it again.", err=True
                )
                confirm = str(click.prompt("Type its address to confirm", err=True))
            typed = {address: (confirm or "").strip()}
            done = finalize_program(project, target, name, ErrandOptions(yes, password, confirm=typed), ui)
        finally:
            ui.close()
    if as_json:
        json_document({
            "schema": 1, "kind": "contract-ship/finalized", "target": chain, "program": name, "address": address,
            "sent": done.sent, "record": str(done.record),
        })  # fmt: skip
        return
    ui.block(f"\ndone: {name} ({address}) on {chain} is immutable, record {done.record}")
