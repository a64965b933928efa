"""``ship promote``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.options import chain_option, json_option, make_board, make_ui, password_options, project_option
from pipeline.signing.password import PasswordOptions

if TYPE_CHECKING:
    from pipeline.options import Candidate
    from pipeline.ui.base import Ui

__all__ = ["command"]


@click.command(name="promote")
@click.argument("tag")
@project_option
@click.option("--to", "to", metavar="VERSION", help="The final version. The candidate's own without -rc.N otherwise.")
@chain_option(required=False, several=True)
@click.option("--all", "everywhere", is_flag=True, help="Every target, wave by wave as [rollout] says.")
@click.option(
    "--local", is_flag=True, help="Take the candidate from this project's releases/ and .ship, not from GitHub."
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Save the plan to be approved, and send nothing.",
)
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
    tag: str,
    root: Path,
    to: str | None,
    chain: str | None,
    everywhere: bool,
    local: bool,
    out: Path | None,
    saved: Path | None,
    approvals: Path | None,
    yes: bool,
    replan: bool,
    password: PasswordOptions,
    as_json: bool,
) -> None:
    """Put the release candidate TAG (v1.2.0-rc.3) on other chains as the final version: the same bytes, nothing built.

    The candidate's files are held against their digests, its commit against both tags and this checkout, what it is
    required to have behind it ([promote]) against records and chain. Refused otherwise, with every reason, and nothing
    sent. The same command goes on after an interruption; what is live already is recorded and not sent again.
    """
    from pipeline.cli.guard import show_error
    from pipeline.cli.show import json_document, json_errors
    from pipeline.options import DeployOptions
    from pipeline.promotion.promoting import Promotion, ready_candidate

    names = tuple(name.strip() for name in chain.split(",")) if chain is not None else ()
    if bool(names) == everywhere:
        raise click.UsageError("Name targets with --chain, or say --all: one of the two.")
    if "" in names:
        raise click.UsageError(f"--chain {chain!r} has an empty name in it.")
    if (saved is not None or out is not None) and len(names) != 1:
        raise click.UsageError("--plan and --out go with exactly one target.")
    if approvals is not None and saved is None:
        raise click.UsageError("--approvals goes with --plan.")
    ui = make_ui(as_json=as_json)
    try:
        with json_errors(as_json=as_json):
            candidate = ready_candidate(root, Promotion(tag, to, names, local), ui)
            options = DeployOptions(yes, password, saved, approvals, replan, candidate=candidate)
            if out is not None:
                _save(root, names[0], candidate, out, ui, as_json=as_json)
                return
    finally:
        ui.close()
    if len(names) == 1:
        from pipeline.deploying import Deployment

        outcome = Deployment(root, names[0], options, ui, show_error).run()
        document, exit_code, done = outcome.to_json(), outcome.exit_code, outcome.error is None
    else:
        from pipeline.many import Fleet
        from pipeline.outcome import fleet_document, fleet_exit_code, fleet_text

        outcomes = Fleet(root, names, options, make_board(as_json=as_json), ui, show_error).run()
        document, exit_code = fleet_document(outcomes), fleet_exit_code(outcomes)
        done = all(outcome.error is None for outcome in outcomes)
        ui.block(fleet_text(outcomes))
    if done:
        ui.block(
            f"\nv{candidate.version} is {candidate.tag}, the same bytes, commit {candidate.commit[:12]}. Commit releases/ and "
            f"deployments/, then `ship release {candidate.version}` tags that commit and publishes it"
        )
    ui.close()
    if as_json:
        json_document(document)
    ctx.exit(exit_code)


def _save(root: Path, name: str, candidate: Candidate, out: Path, ui: Ui, *, as_json: bool) -> None:
    from pipeline.cli.show import json_document
    from pipeline.plan import save_plan
    from pipeline.planning import plan_project

    plan, text = plan_project(root, name, ui, candidate=candidate)
    save_plan(out, plan)
    if as_json:
        json_document({**plan.to_json(), "digest": plan.digest})
        return
    again = f"ship promote {candidate.tag} --chain {name} --plan {out}"
    ui.block(f"\n{text}\n\nsaved to {out}; deploy it with `{again}`")
