"""The ``ship`` command in this process, as the command line runs it: errors shown, exit codes given."""

from __future__ import annotations

import sys

from click.testing import CliRunner, Result

__all__ = ["run_ship"]


def run_ship(*arguments: str) -> Result:
    """Output and exit code of ``ship ARGUMENTS``."""
    import click

    from pipeline.cli.group import ship
    from pipeline.cli.guard import guarded

    @click.command(context_settings={"ignore_unknown_options": True}, add_help_option=False)
    @click.argument("rest", nargs=-1, type=click.UNPROCESSED)
    def shell(rest: tuple[str, ...]) -> None:
        sys.argv = ["ship", *rest]
        sys.exit(guarded(ship))

    return CliRunner().invoke(shell, list(arguments))
