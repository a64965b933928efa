"""``ship createx``: the factory that contracts with the same address on every chain go through."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli.options import chain_option, make_ui, project_option

__all__ = ["command"]


@click.command(name="createx")
@project_option
@chain_option()
def command(root: Path, chain: str) -> None:
    """See that CreateX is on TARGET's chain; where it is missing, send its presigned transaction.

    That transaction is signed by a key nobody has any more, and gives CreateX the same address on every chain. ship signs
    nothing here; the transaction's own signer has to own 0.3 of the chain's currency first.
    """
    from chains.evm.createx import CREATEX
    from pipeline.createx_offer import put_createx

    ui = make_ui(as_json=False)
    try:
        sent = put_createx(root, chain, ui)
    finally:
        ui.close()
    click.echo(f"CreateX is at {CREATEX} on {chain}{'' if sent else ', as before'}")
