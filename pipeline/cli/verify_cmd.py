"""``ship verify``: the bytecode proof, now."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli.options import chain_option, json_option, project_option

__all__ = ["command"]


@click.command(name="verify")
@project_option
@chain_option()
@json_option
def command(root: Path, chain: str, as_json: bool) -> None:
    """Prove that everything live on TARGET is what was built.

    Each contract is held against the bundle it was deployed from in three ways: its runtime code, the input of the
    transaction that created it, and its init code run again. Reads only. Exit code 4 when a contract is not what was
    built, 2 when its bundle is not here.
    """
    import sys

    from pipeline.cli.show import json_document, json_errors
    from pipeline.ui.plain import PlainUi
    from pipeline.ui.table import say
    from pipeline.verify_text import render_verified
    from pipeline.verifying import verify_target

    with json_errors(as_json=as_json):
        verified = verify_target(root, chain, PlainUi(sys.stderr))
    if as_json:
        json_document(verified.to_json())
    else:
        say(render_verified(verified))
    verified.raise_problems()
