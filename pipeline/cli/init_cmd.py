"""``ship init``."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli.options import project_option

__all__ = ["command"]


@click.command("init")
@click.option(
    "--chain", "chains", metavar="CHAIN", multiple=True, help="Also write a target for this chain, as sepolia."
)
@project_option
def command(root: Path, chains: tuple[str, ...]) -> None:
    """Write ship.toml and a local target for the Foundry and Anchor projects found here.

    Files that are there already are never changed.
    """
    from pipeline.manifest.initializing import init_project

    done = init_project(root, chains)
    for path in done.written:
        click.echo(f"wrote    {path}")
    for note in done.notes:
        click.echo(f"note     {note}")
    click.echo(f"Next: ship check, then ship plan --chain {done.first}")
