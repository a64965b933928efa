"""``ship export``."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli.options import project_option

__all__ = ["command"]

_FORMATS = ("json", "typescript", "solidity", "superchain", "safe-deployments", "safe-batch")


@click.command(name="export")
@project_option
@click.option("--chain", "chains", multiple=True, metavar="TARGET", help="Only this target; may be given again.")
@click.option("--format", "form", type=click.Choice(_FORMATS), default="json", show_default=True, help="What to write.")
@click.option("--out", type=click.Path(path_type=Path), help="A file, or a folder where the form has several.")
@click.option(
    "--plan", type=click.Path(dir_okay=False, path_type=Path), help="safe-batch: the plan whose calls to export."
)
@click.option("--safe", metavar="ADDRESS", help="safe-batch: the Safe that is to make the calls.")
@click.option("--nonce", type=click.IntRange(min=0), help="safe-batch: the Safe's next nonce.")
def command(
    root: Path,
    chains: tuple[str, ...],
    form: str,
    out: Path | None,
    plan: Path | None,
    safe: str | None,
    nonce: int | None,
) -> None:
    """Write the addresses of what is live, from the newest record of each target. Asks no chain.

    The same records give the same bytes. safe-batch writes a plan's calls for Safe's transaction builder instead.
    """
    from pipeline.exporting.command import SafeOptions, export_project, write_files

    def note(text: str) -> None:
        click.echo(text, err=True)

    files = export_project(root, form, chains, SafeOptions(plan, safe, nonce), note)
    written = write_files(files, form, out)
    if out is None:
        click.echo(next(iter(files.values())), nl=False)
    for path in written:
        click.echo(f"wrote {path}")
