"""``ship check``."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli.options import project_option

__all__ = ["command"]


@click.command("check")
@click.option("--chain", "target", metavar="TARGET", help="Check ship.toml and this target only.")
@project_option
def command(root: Path, target: str | None) -> None:
    """Read ship.toml and all targets, and say what is wrong in them.

    Nothing is built, nothing is sent, and no chain is asked.
    """
    from pipeline.manifest.checking import check_project

    report = check_project(root, target)
    for file in report.files:
        if file.problems:
            count = len(file.problems)
            click.echo(f"refused  {file.file}: {count} problem{'s' * (count != 1)}")
        else:
            click.echo(f"ok       {file.file}: {file.holds}")
        for note in file.not_yet:
            click.echo(f"note     {note.where}: {note.cause}")
    report.raise_problems()
