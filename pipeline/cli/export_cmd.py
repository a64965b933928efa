"""``ship export``."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli.options import project_option

__all__ = ["command"]

_FORMATS = ("json", "typescript", "solidity", "superchain", "safe-deployments")


@click.command(name="export")
@project_option
@click.option("--chain", "chains", multiple=True, metavar="TARGET", help="Only this target; may be given again.")
@click.option("--format", "form", type=click.Choice(_FORMATS), default="json", show_default=True, help="What to write.")
@click.option("--out", type=click.Path(path_type=Path), help="A file, or a folder where the form has several.")
def command(root: Path, chains: tuple[str, ...], form: str, out: Path | None) -> None:
    """Write the addresses of what is live, from the newest record of each target. Asks no chain.

    The same records give the same bytes.
    """
    from pipeline.exporting.command import export_project, write_files

    files = export_project(root, form, chains)
    written = write_files(files, form, out)
    if out is None:
        click.echo(next(iter(files.values())), nl=False)
    for path in written:
        click.echo(f"wrote {path}")
