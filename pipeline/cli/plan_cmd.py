"""``ship plan``: what a deployment would do."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli.options import chain_option, json_option, make_ui, project_option

__all__ = ["command"]


@click.command(name="plan")
@project_option
@chain_option()
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="Save the plan, to deploy exactly it later."
)
@json_option
def command(root: Path, chain: str, out: Path | None, as_json: bool) -> None:
    """Show what `ship deploy --chain TARGET` would do now. Nothing is signed or sent."""
    from pipeline.cli.show import json_document, json_errors
    from pipeline.plan import save_plan
    from pipeline.plan_text import render_plan
    from pipeline.planning import plan_project

    ui = make_ui(as_json=as_json)
    with json_errors(as_json=as_json):
        try:
            plan, currency = plan_project(root, chain, ui)
        finally:
            ui.close()
        if out is not None:
            save_plan(out, plan)
    if as_json:
        json_document({**plan.to_json(), "digest": plan.digest})
        return
    ui.block("\n" + render_plan(plan, currency))
    if out is not None:
        ui.block(f"\nsaved to {out}; deploy it with `ship deploy --chain {chain} --plan {out}`")
