"""``ship solana``: what there is to do on a Solana target beside a release."""

from __future__ import annotations

import click

from pipeline.cli.solana.buffers import buffers
from pipeline.cli.solana.finalize import finalize

__all__ = ["command"]


@click.group(name="solana")
def command() -> None:
    """Look after buffers of a Solana target; make a program immutable."""


command.add_command(buffers)
command.add_command(finalize)
