"""``ship deploy``: the main job."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli.options import chain_option, json_option, make_ui, password_options, project_option
from pipeline.signing.password import PasswordOptions

__all__ = ["command"]


@click.command(name="deploy")
@project_option
@chain_option()
@click.option(
    "--plan", "saved", type=click.Path(dir_okay=False, path_type=Path), help="Deploy exactly this saved plan."
)
@click.option("--yes", is_flag=True, help="Approve the plan without asking.")
@click.option("--replan", is_flag=True, help="Give up an unfinished plan and plan the rest from what is on chain.")
@password_options
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    root: Path,
    chain: str,
    saved: Path | None,
    yes: bool,
    replan: bool,
    password: PasswordOptions,
    as_json: bool,
) -> None:
    """Release the project to TARGET: build, gates, plan, approve, sign, deploy, verify, check, record.

    Killed or failed at any point, the same command goes on where it was. Run again when done, it sends nothing.
    """
    from pipeline.cli.guard import show_error
    from pipeline.deploying import Deployment
    from pipeline.run import DeployOptions

    ui = make_ui(as_json=as_json)
    options = DeployOptions(yes=yes, password=password, saved=saved, replan=replan)
    outcome = Deployment(root, chain, options, ui, show_error).run()
    ui.close()
    if as_json:
        from chains.canonical import pretty
        from pipeline.manifest.secrets import redact

        click.echo(redact(pretty(outcome.to_json()).decode()), nl=False)
    ctx.exit(outcome.exit_code)
