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
    "--out",
    metavar="FILE.json|DIR",
    type=click.Path(path_type=Path),
    help="Save the plan, to deploy exactly it later: a path that ends in .json is the plan alone; any other a folder "
    "with the review pack, what a signer needs to say yes.",
)
@json_option
def command(root: Path, chain: str, out: Path | None, as_json: bool) -> None:
    """Show what `ship deploy --chain TARGET` would do now. Nothing is signed or sent.

    With --out DIR, exit code 2 when the plan changes storage that no variable explains; the pack is written all the same.
    """
    from pipeline.cli.show import json_document, json_errors
    from pipeline.plan import save_plan
    from pipeline.planning import plan_project

    folder = out if out is not None and out.suffix != ".json" else None
    ui = make_ui(as_json=as_json)
    with json_errors(as_json=as_json):
        try:
            plan, text = plan_project(root, chain, ui, pack=folder)
        finally:
            ui.close()
        if out is not None and folder is None:
            save_plan(out, plan)
    if as_json:
        json_document({**plan.to_json(), "digest": plan.digest})
        return
    ui.block(f"\n{text}")
    if out is not None:
        file = out if folder is None else folder / "plan.json"
        ui.block(f"\nsaved to {out}; deploy it with `ship deploy --chain {chain} --plan {file}`")
        if folder is not None:
            ui.block(
                f"whoever signs reads {folder / 'plan.md'} and runs `ship review {folder}` on a machine of their own"
            )
