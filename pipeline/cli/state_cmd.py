"""``ship state``: state that is shared through a bucket."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.options import chain_option, project_option

if TYPE_CHECKING:
    from pipeline.state.shared.commands import SharedTarget
    from pipeline.state.shared.holder import Holder

__all__ = ["command"]


@click.group(name="state")
def command() -> None:
    """Bring shared state here, put local state there, hold a target, or check what the bucket holds."""


def _note(text: str) -> None:
    click.echo(text, err=True)


@command.command()
@project_option
@chain_option(required=False)
@click.option(
    "--replace", is_flag=True, help="Put a local journal that says something else aside, and take the bucket's."
)
def pull(root: Path, chain: str | None, replace: bool) -> None:
    """Bring journal, plans, records and bundles here. Every command that works on a target does so by itself."""
    from pipeline.state.shared.commands import shared_targets

    for target in shared_targets(root, chain):
        aside = target.pull(replace=replace)
        click.echo(
            f"{target.name} is up to date" + (f"; the local journal was put aside as {aside.name}" if aside else "")
        )


@command.command()
@project_option
@chain_option(required=False)
def push(root: Path, chain: str | None) -> None:
    """Put rows and files into the bucket that only this folder has: once, when a project moves to shared state."""
    from pipeline.state.shared.commands import shared_targets

    for target in shared_targets(root, chain):
        click.echo(f"{target.name}: {target.push(_note)} rows put into the bucket")


@command.command()
@project_option
@chain_option()
@click.option("--reason", default="no reason given", show_default=True, help="What others are told.")
def lock(root: Path, chain: str, reason: str) -> None:
    """Hold TARGET until `ship state unlock`: meanwhile no run of anybody's begins."""
    from pipeline.state.shared.commands import shared_targets

    (target,) = shared_targets(root, chain)
    target.lock(reason)
    click.echo(f"{chain} is locked; `ship state unlock --chain {chain}` gives it back")


@command.command()
@project_option
@chain_option()
@click.option("--force", is_flag=True, help="Also from somebody else, or from a run; asks first.")
@click.option("--yes", is_flag=True, help="With --force: do not ask.")
def unlock(root: Path, chain: str, force: bool, yes: bool) -> None:
    """Give TARGET back. With --force a run that holds it loses it: it can write no row more, and so sign nothing more."""
    from pipeline.state.shared.commands import shared_targets

    (target,) = shared_targets(root, chain)
    holder = target.holder()
    if not target.is_mine(holder):
        _may_take(target, holder, force=force, yes=yes)
    target.unlock(_note)
    click.echo(f"{chain} is free")


def _may_take(target: SharedTarget, holder: Holder, *, force: bool, yes: bool) -> None:
    from pipeline.state.shared.errors import NotHeld

    if not force:
        raise NotHeld(
            f"{target.name} is held by {holder}",
            remedy="Wait for it. A run that died is taken over by itself; --force takes it from one that lives.",
        )
    click.echo(
        f"{target.name} is held by {holder}.\nIf that still runs, it stops at its next row and signs nothing more. What it has "
        "sent stays sent; the next `ship deploy` goes on from it.",
        err=True,
    )
    if not yes and not _asked():
        raise NotHeld(
            f"{target.name} was not taken", remedy="Answer with y, or give --yes where there is nobody to ask."
        )


def _asked() -> bool:
    try:
        return click.confirm("Take it?", err=True)
    except click.Abort:  # no terminal
        return False


@command.command()
@project_option
@chain_option(required=False)
def fsck(root: Path, chain: str | None) -> None:
    """Read everything in the bucket: hash chain, segments, files, lease, versioning, encryption; and compare this folder.

    Mends nothing: `ship state pull` does. Exit code 2 when something is wrong.
    """
    from pipeline.state.shared.commands import shared_targets

    wrong = False
    for target in shared_targets(root, chain):
        click.echo(target.name)
        for finding in target.check():
            click.echo(f"  {'WRONG' if finding.wrong else 'ok':<6}{finding.text}")
            wrong = wrong or finding.wrong
    if wrong:
        raise click.exceptions.Exit(2)
