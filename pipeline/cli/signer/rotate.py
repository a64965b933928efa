"""``ship signer rotate``: from the old key to the new one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.options import chain_option, json_option, password_options, project_option
from pipeline.signing.password import PasswordOptions

if TYPE_CHECKING:
    from pipeline.manifest.project import Project
    from pipeline.manifest.target import Target
    from pipeline.programs.errands.running import ErrandOptions
    from pipeline.ui.base import Ui

__all__ = ["rotate"]


@click.command()
@project_option
@chain_option()
@click.option("--to", metavar="ADDRESS", help="The new key's address.")
@click.option(
    "--to-signer",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A TOML file with schema = 1 and the new [signer] table: its address is taken.",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Save the plan for `ship approve`, and send nothing.",
)
@click.option(
    "--plan", "saved", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Rotate by this saved plan."
)
@click.option(
    "--approvals",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The approvals of --plan [default: the file beside it].",
)
@click.option("--yes", is_flag=True, help="Approve the plan without asking.")
@password_options
@json_option
def rotate(
    root: Path,
    chain: str,
    to: str | None,
    to_signer: Path | None,
    out: Path | None,
    saved: Path | None,
    approvals: Path | None,
    yes: bool,
    password: PasswordOptions,
    as_json: bool,
) -> None:
    """Move every right of TARGET's key in what is recorded there to another key: roles, ownership, upgrades.

    The same command without --to goes on with a rotation that was stopped. Nothing is built and no gate runs. On a Solana
    target every program's upgrade authority moves to the key of [next-authority], which signs too.
    """
    from pipeline.cli.options import make_ui
    from pipeline.cli.show import json_document, json_errors
    from pipeline.manifest.project import PROJECT_FILE, load_project
    from pipeline.manifest.target import load_target
    from pipeline.rotation.rotating import RotateOptions, save_rotation
    from pipeline.rotation.rotating import rotate as rotate_keys
    from pipeline.rotation.successor import successor

    if to is not None and to_signer is not None:
        raise click.UsageError("Give either --to ADDRESS or --to-signer FILE.")
    if approvals is not None and saved is None:
        raise click.UsageError("--approvals goes with --plan.")
    if out is not None and saved is not None:
        raise click.UsageError("--out makes a new plan, and --plan names one: give one of the two.")
    ui = make_ui(as_json=as_json)
    with json_errors(as_json=as_json):
        project = load_project(root)
        target = load_target(project, chain)
        if target.chain.kind == "solana":
            from pipeline.programs.errands.running import ErrandOptions

            if to_signer is not None:
                raise click.UsageError("On Solana the new key signs too: describe it under [next-authority].")
            options = ErrandOptions(yes, password, saved, approvals)
            _rotate_programs(project, target, to, out, options, ui, as_json=as_json)
            return
        if out is not None and to is None and to_signer is None:
            raise click.UsageError("--out makes a new plan: give --to or --to-signer with it.")
        heir = successor(target, to, to_signer)
        if out is not None:
            plan = save_rotation(project, target, str(heir), out, ui)
            if as_json:
                json_document({**plan.to_json(), "digest": plan.digest})
                return
            ui.block(f"\nsaved to {out}; rotate by it with `ship signer rotate --chain {chain} --plan {out}`")
            return
        done = rotate_keys(project, target, RotateOptions(heir, yes, password, saved, approvals), ui)
    if as_json:
        json_document({
            "schema": 1, "kind": "contract-ship/rotated", "target": chain, "from": done.old, "to": done.new,
            "sent": done.transactions, "record": str(done.record), "rollback": str(done.rollback),
        })  # fmt: skip
        return
    lines = [
        "",
        f"done: every right of {done.old} on {chain} is {done.new}'s now; record {done.record}",
        f"the way back, for the new key: {done.rollback}",
        f"now change {target.layers.where(('signer',)).file}, under [signer]:",
        "",
        f'address = "{done.new}"',
    ]
    if b"${deployer}" in (project.root / PROJECT_FILE).read_bytes():
        lines += [
            "",
            f"and in {PROJECT_FILE}: ${{deployer}} in arguments of contracts that are live was {done.old}; write that",
        ]
    ui.block("\n".join(lines))


def _rotate_programs(
    project: Project, target: Target, to: str | None, out: Path | None, options: ErrandOptions, ui: Ui, *, as_json: bool
) -> None:
    """On Solana: every program's authority."""
    from pipeline.cli.show import json_document
    from pipeline.programs.errands.rotating import rotate_authority, save_authority_rotation

    chain = target.name
    if out is not None:
        plan = save_authority_rotation(project, target, to, out, ui)
        if as_json:
            json_document({**plan.to_json(), "digest": plan.digest})
            return
        ui.block(f"\nsaved to {out}; rotate by it with `ship signer rotate --chain {chain} --plan {out}`")
        return
    done = rotate_authority(project, target, to, options, ui)
    old, new = done.plan.body.deployer, done.plan.body.handover
    if as_json:
        json_document({
            "schema": 1, "kind": "contract-ship/rotated", "target": chain, "from": old, "to": new,
            "sent": done.sent, "record": str(done.record), "rollback": str(done.rollback),
        })  # fmt: skip
        return
    moved = ", ".join(action.unit for action in done.plan.body.actions)
    lines = [
        "",
        f"done: {new} is the upgrade authority of {moved} on {chain} now; record {done.record}",
        f"the way back, by both keys: {done.rollback}",
        f"now make the key of [next-authority] the [signer] of {target.file}, and take [next-authority] out;",
        f"until then `ship deploy --chain {chain}` is refused: {old} is no program's authority any more",
    ]
    if target.units.spec.program_calls:
        lines.append(
            f"where ship.toml has ${{deployer}}, or leaves an account to the signer, in calls that are done, it was {old}: "
            "write that, or they are sent anew"
        )
    ui.block("\n".join(lines))
