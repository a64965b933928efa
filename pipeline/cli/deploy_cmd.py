"""``ship deploy``: the main job."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli.options import chain_option, json_option, make_board, make_ui, password_options, project_option
from pipeline.signing.password import PasswordOptions

__all__ = ["command"]


@click.command(name="deploy")
@project_option
@chain_option(required=False, several=True)
@click.option("--all", "everywhere", is_flag=True, help="Every target, wave by wave as [rollout] says.")
@click.option(
    "--plan", "saved", type=click.Path(dir_okay=False, path_type=Path), help="Deploy exactly this saved plan."
)
@click.option(
    "--approvals",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The approvals of that plan [default: PLAN.approvals.json beside it].",
)
@click.option("--yes", is_flag=True, help="Approve the plan without asking.")
@click.option("--replan", is_flag=True, help="Give up an unfinished plan and plan the rest from what is on chain.")
@password_options
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    root: Path,
    chain: str | None,
    everywhere: bool,
    saved: Path | None,
    approvals: Path | None,
    yes: bool,
    replan: bool,
    password: PasswordOptions,
    as_json: bool,
) -> None:
    """Release the project to TARGET: build, gates, plan, approve, sign, deploy, verify, check, record.

    Several targets (--chain base,optimism, or --all) are released side by side; one failing leaves the others whole.
    Killed or failed at any point, the same command goes on where it was. Run again when done, it sends nothing.
    """
    from pipeline.cli.guard import show_error
    from pipeline.options import DeployOptions

    names = tuple(name.strip() for name in chain.split(",")) if chain is not None else ()
    if names and everywhere:
        raise click.UsageError("--chain names targets and --all means every one: give one of the two.")
    if not names and not everywhere:
        raise click.UsageError("Name targets with --chain, or say --all.")
    if "" in names:  # a variable of a script that came out empty would else be one target fewer, unnoticed
        raise click.UsageError(f"--chain {chain!r} has an empty name in it.")
    if saved is not None and len(names) != 1:
        raise click.UsageError("--plan goes with exactly one target.")
    if approvals is not None and saved is None:
        raise click.UsageError("--approvals goes with --plan.")
    options = DeployOptions(yes=yes, password=password, saved=saved, approvals=approvals, replan=replan)
    ui = make_ui(as_json=as_json)
    if len(names) == 1:
        from pipeline.deploying import Deployment

        outcome = Deployment(root, names[0], options, ui, show_error).run()
        document, exit_code = outcome.to_json(), outcome.exit_code
    else:
        from pipeline.cli.show import json_errors
        from pipeline.many import Fleet
        from pipeline.outcome import fleet_document, fleet_exit_code, fleet_text

        with json_errors(as_json=as_json):
            outcomes = Fleet(root, names, options, make_board(as_json=as_json), ui, show_error).run()
        document, exit_code = fleet_document(outcomes), fleet_exit_code(outcomes)
        ui.block(fleet_text(outcomes))
    ui.close()
    if as_json:
        from chains.canonical import pretty
        from pipeline.manifest.secrets import redact

        click.echo(redact(pretty(document).decode()), nl=False)
    ctx.exit(exit_code)
