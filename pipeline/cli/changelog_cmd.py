"""``ship changelog``: check it, and cut a version from it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from pipeline.cli.options import project_option

__all__ = ["command"]


@click.group(name="changelog")
def command() -> None:
    """Check the changelog (Keep a Changelog), or cut a version from it."""


@command.command()
@project_option
@click.option("--version", "version", metavar="X.Y.Z", help="The version that must have an entry.")
def check(root: Path, version: str | None) -> None:
    """Check form, order, dates and links, and with --version that this version has an entry which says something."""
    from pipeline.changelog.checking import changelog_path, check_changelog
    from pipeline.manifest.project import load_project

    project = load_project(root)
    check_changelog(project, version)
    click.echo(f"ok       {changelog_path(project).name}" + (f": {version} has its entry" if version else ""))


@command.command()
@click.argument("version")
@project_option
@click.option("--date", "day", type=click.DateTime(["%Y-%m-%d"]), help="The day of the release [default: today, UTC].")
@click.option("--from-commits", is_flag=True, help="First add what the Conventional Commits since the last tag say.")
@click.option("--dry-run", is_flag=True, help="Show the entry and write nothing.")
def cut(root: Path, version: str, day: datetime | None, from_commits: bool, dry_run: bool) -> None:
    """Turn what is under [Unreleased] into the entry of VERSION."""
    from datetime import UTC

    from chains.files import write_atomic
    from pipeline.changelog.checking import changelog_path, read_changelog
    from pipeline.changelog.commits import gather
    from pipeline.changelog.cutting import cut as make
    from pipeline.changelog.cutting import with_items
    from pipeline.changelog.parsing import parse
    from pipeline.manifest.project import load_project

    version = version.removeprefix("v")
    project = load_project(root)
    path = changelog_path(project)
    before = text = read_changelog(path)
    if from_commits and parse(text).entry(version) is None:
        gathered = gather(root, version)
        text = with_items(text, gathered.items)
        since = f"since {gathered.since}" if gathered.since else "in all"
        click.echo(
            f"{gathered.commits} commit{'s' * (gathered.commits != 1)} {since}, {gathered.passed_over} without a line",
            err=True,
        )
    made = make(text, path.name, version, (day or datetime.now(UTC)).date())
    if made.there:
        click.echo(f"ok       {path.name}: {version} was cut before")
        return
    if not dry_run and made.text != before:
        write_atomic(path.resolve(), made.text.encode(), mode=path.stat().st_mode & 0o777)
    click.echo(f"{made.entry}\n\n{'would write' if dry_run else 'wrote'}    {path.name}: {version}")
