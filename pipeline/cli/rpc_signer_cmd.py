"""``ship rpc-signer``: forge sends, ship signs."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli.options import chain_option, make_ui, password_options, project_option
from pipeline.signing.password import PasswordOptions

__all__ = ["command"]


@click.command(name="rpc-signer")
@project_option
@chain_option()
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="The loopback port to serve at [default: a free one]."
)
@click.option("--yes", is_flag=True, help="Approve the plan without asking.")
@password_options
@click.pass_context
def command(ctx: click.Context, root: Path, chain: str, port: int, yes: bool, password: PasswordOptions) -> None:
    """Release to TARGET like `ship deploy`, but let forge send the scripts' transactions.

    The plan is made from the scripts' dry runs and approved first. When it is a script's turn, the URL to run
    `forge script … --unlocked --broadcast` against is shown. Only the plan's own transactions are signed.
    """
    from pipeline.cli.guard import show_error
    from pipeline.deploying import Deployment
    from pipeline.manifest.families import evm_target
    from pipeline.manifest.project import load_project
    from pipeline.options import DeployOptions

    why = "forge sends transactions of EVM chains alone"
    evm_target(load_project(root), chain, why, f"`ship deploy --chain {chain}` releases programs.")

    ui = make_ui(as_json=False)
    options = DeployOptions(yes=yes, password=password, serve_port=port)
    outcome = Deployment(root, chain, options, ui, show_error).run()
    ui.close()
    ctx.exit(outcome.exit_code)
