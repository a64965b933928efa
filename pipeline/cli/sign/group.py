"""``ship sign``: a release whose key is on a machine without a network."""

from __future__ import annotations

import click

from pipeline.cli.sign.export import export
from pipeline.cli.sign.import_ import import_
from pipeline.cli.sign.sign import sign

__all__ = ["command"]


@click.group(name="sign")
def command() -> None:
    """Sign on a machine without a network: export, sign there, import."""


command.add_command(export)
command.add_command(sign)
command.add_command(import_)
