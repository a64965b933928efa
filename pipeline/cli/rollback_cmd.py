"""``ship rollback``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.options import chain_option, json_option, make_ui, password_options, project_option
from pipeline.signing.password import PasswordOptions

if TYPE_CHECKING:
    from pipeline.ui.base import Ui

__all__ = ["command"]


@click.command(name="rollback")
@project_option
@chain_option(required=False)
@click.option("--to", metavar="VERSION", help="The release to go back to [default: what was live before the newest].")
@click.option("--execute", is_flag=True, help="Go back. Without it, only what that would be is shown.")
@click.option(
    "--plan-file",
    "plan_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Save the plan there for `ship approve`; with --execute, go back by exactly that plan.",
)
@click.option(
    "--approvals",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The approvals of --plan-file [default: the file beside it].",
)
@click.option("--accept-state-risks", "accept", is_flag=True, help="Take the risks that have to be accepted.")
@click.option("--yes", is_flag=True, help="Approve the plan without asking.")
@click.option("--drill", is_flag=True, help="Rehearse every recorded rollback on what is live, and send nothing.")
@click.option("--all", "everywhere", is_flag=True, help="With --drill: every target.")
@password_options
@json_option
def command(
    root: Path,
    chain: str | None,
    to: str | None,
    execute: bool,
    plan_file: Path | None,
    approvals: Path | None,
    accept: bool,
    yes: bool,
    drill: bool,
    everywhere: bool,
    password: PasswordOptions,
    as_json: bool,
) -> None:
    """Show what going back on TARGET would be; with --execute, go back. Nothing is deployed anew.

    Killed at any point, the same command goes on where it was. Run again when done, it sends nothing.
    """
    from pipeline.cli.show import json_document, json_errors
    from pipeline.manifest.project import load_project

    _agree(chain, execute, plan_file, approvals, accept, drill, everywhere, to)
    ui = make_ui(as_json=as_json)
    if drill:
        _drill(root, chain, ui, as_json=as_json)
        return
    with json_errors(as_json=as_json):
        project = load_project(root)
        from pipeline.manifest.target import load_target
        from pipeline.rollback.running import RollbackOptions, roll_back, show_rollback

        target = load_target(project, str(chain))
        show, go = show_rollback, roll_back
        if target.chain.kind == "solana":
            from pipeline.programs.rollback.running import roll_back_programs, show_program_rollback

            show, go = show_program_rollback, roll_back_programs
        if not execute:
            shown = show(project, target, to, plan_file, ui)
            if as_json:
                json_document(shown)
            return
        done = go(project, target, RollbackOptions(to, yes, password, accept, plan_file, approvals), ui)
    if as_json:
        json_document(done.to_json(target.name))
        return
    if done.record is None:
        ui.block(f"\nnothing to send: {target.name} is at {done.returns_to} already")
        return
    ui.block(
        f"\ndone: {done.rolls_back} on {target.name} was taken back to {done.returns_to or 'before it'}, "
        f"{done.transactions} sent, record {done.record}"
    )


def _drill(root: Path, chain: str | None, ui: Ui, *, as_json: bool) -> None:
    from pipeline.cli.show import json_document, json_errors
    from pipeline.manifest.project import load_project
    from pipeline.rollback.drilling import drill_project

    with json_errors(as_json=as_json):
        drilled = drill_project(load_project(root), chain, ui)
    if as_json:
        json_document(drilled.to_json())
    drilled.raise_unless_sound()  # behind the document: a second one would not be read


def _agree(
    chain: str | None,
    execute: bool,
    plan_file: Path | None,
    approvals: Path | None,
    accept: bool,
    drill: bool,
    everywhere: bool,
    to: str | None,
) -> None:
    """Options that go together, and those that do not."""
    if drill and (execute or plan_file or approvals or accept or to):
        raise click.UsageError("--drill rehearses what is recorded: it goes with --chain or --all alone.")
    if everywhere and (not drill or chain is not None):
        raise click.UsageError("--all goes with --drill, and instead of --chain.")
    if chain is None and not drill:
        raise click.UsageError("Name the target with --chain.")
    if approvals is not None and not (execute and plan_file):
        raise click.UsageError("--approvals goes with --execute and --plan-file.")
    if accept and not execute:
        raise click.UsageError("--accept-state-risks goes with --execute.")
    if execute and plan_file is not None and not plan_file.exists():
        raise click.UsageError(f"There is no {plan_file}: save a plan there by leaving out --execute.")
