"""``ship sign import``: what the other machine signed."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli.options import chain_option, json_option, project_option

__all__ = ["import_"]


@click.command(name="import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@project_option
@chain_option()
@json_option
def import_(root: Path, file: Path, chain: str, as_json: bool) -> None:
    """Take the signed transactions in FILE for TARGET's unfinished plan. Then `ship deploy` goes on.

    FILE is what `ship sign sign` wrote, or holds raw transactions, one a line, as `cast mktx` prints them. Each has to be one
    that was asked for, to the byte, and signed by the pinned key.
    """
    from pipeline.cli.show import json_document, json_errors
    from pipeline.signing.offline.importing import import_signed
    from pipeline.ui.table import say

    with json_errors(as_json=as_json):
        taken = import_signed(root, chain, file)
    if as_json:
        entries = [{"action": one.action, "nonce": one.nonce, "hash": one.hash} for one in taken]
        json_document({"schema": 1, "kind": "contract-ship/sign-import", "transactions": entries})
        return
    say([f"taken    nonce {one.nonce}  {one.action}  {one.hash}" for one in taken])
