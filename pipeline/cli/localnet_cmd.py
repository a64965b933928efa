"""``ship localnet``: the embedded local chain."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli.options import project_option

__all__ = ["command"]


@click.group(name="localnet")
def command() -> None:
    """Keep the embedded local chain running between commands, stop it, or begin anew."""


def _chain_option(function: click.decorators.FC) -> click.decorators.FC:
    return click.option("--chain", default="local", show_default=True, metavar="TARGET", help="A local target.")(
        function
    )


@command.command()
@project_option
@_chain_option
def up(root: Path, chain: str) -> None:
    """Start the local chain and leave it running; prints its URL."""
    from pipeline.localnets import start_localnet

    net = start_localnet(root, chain)
    down = "ship localnet down" + (f" --chain {chain}" if chain != "local" else "")
    click.echo(f"{chain} runs at {net.url} (process {net.pid}); `{down}` stops it")


@command.command()
@project_option
@_chain_option
def status(root: Path, chain: str) -> None:
    """Say whether the local chain runs, and where."""
    from pipeline.localnets import running_localnet

    net = running_localnet(root, chain)
    click.echo(f"{chain} runs at {net.url} (process {net.pid})" if net else f"{chain} does not run")


@command.command()
@project_option
@_chain_option
def down(root: Path, chain: str) -> None:
    """Stop the local chain; its state is kept."""
    from pipeline.localnets import stop_localnet

    click.echo("stopped; its state is kept" if stop_localnet(root, chain) else "it was not running")


@command.command()
@project_option
@_chain_option
def reset(root: Path, chain: str) -> None:
    """Stop the local chain and begin anew: chain, journal and records of TARGET are put aside, not deleted."""
    from pipeline.localnets import reset_localnet

    aside = reset_localnet(root, chain)
    click.echo(f"put aside in {aside}" if aside else "there was nothing to put aside")
