"""``ship approve``: a named person's yes to a saved plan."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli.options import chain_option, json_option, make_ui, password_options, project_option
from pipeline.signing.password import PasswordOptions

__all__ = ["command"]


@click.command(name="approve")
@click.argument("plan", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@project_option
@click.option("--as", "name", help="Who approves: a name of `approvers` [default: whoever the key belongs to].")
@chain_option(required=False)
@click.option(
    "--signer",
    "signer_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A TOML file with the approver's own [signer] table.",
)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Another file than PLAN.approvals.json.")
@click.option("--yes", is_flag=True, help="Approve without asking.")
@password_options
@json_option
def command(
    root: Path,
    plan: Path,
    name: str | None,
    chain: str | None,
    signer_file: Path | None,
    out: Path | None,
    yes: bool,
    password: PasswordOptions,
    as_json: bool,
) -> None:
    """Show PLAN, read its transactions a second time from their bytes alone, and sign its digest.

    The key is that of --signer FILE, or of the target of --chain, or of the plan's own target. The signature is added to
    PLAN.approvals.json; `ship deploy --plan PLAN` counts it.
    """
    from pipeline.approvals.approving import ApproveOptions, approve_plan
    from pipeline.cli.show import json_document, json_errors

    if chain is not None and signer_file is not None:
        raise click.UsageError("Give --chain or --signer, not both.")
    ui = make_ui(as_json=as_json)
    options = ApproveOptions(plan, name, chain, signer_file, out, yes, password)
    try:
        with json_errors(as_json=as_json):
            approval, path = approve_plan(root, options, ui)
    finally:
        ui.close()
    if as_json:
        json_document(
            {"schema": 1, "kind": "contract-ship/approval", "file": str(path), "approval": approval.to_json()}
        )
        return
    ui.block(f"\napproved by {approval.approver} ({approval.address}), written to {path}")
