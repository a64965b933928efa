"""``ship signer``: encrypted keys, and who signs for a target."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli.options import chain_option, json_option, password_options, project_option
from pipeline.cli.signer.list_ import list_
from pipeline.cli.signer.rotate import rotate
from pipeline.cli.signer.test_ import test_
from pipeline.signing.password import PasswordOptions

__all__ = ["command"]


@click.group(name="signer")
def command() -> None:
    """Make an encrypted key; show, test or rotate a target's key."""


command.add_command(list_)
command.add_command(rotate)
command.add_command(test_)


@command.command()
@project_option
@click.option(
    "--out",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where to write it. Never overwritten.",
)
@password_options
@json_option
def new(root: Path, out: Path, password: PasswordOptions, as_json: bool) -> None:
    """Make a new key, encrypted with a password (at least 8 characters), readable by you only.

    The password is asked for twice, or read from --password-file or --password-fd.
    """
    from pipeline.cli.show import json_document, json_errors
    from pipeline.signing.making import make_key
    from pipeline.ui.table import say

    def ask() -> str:
        return str(click.prompt(f"Password for {out.name}", hide_input=True, confirmation_prompt=True, err=True))

    with json_errors(as_json=as_json):
        key = make_key(out, password, root, ask)
    if as_json:
        json_document({"schema": 1, "kind": "contract-ship/signer", "address": key.address, "file": str(key.path)})
        return
    say([f"wrote    {out}", f"address  {key.address}", "", "For the target's manifest:", ""])
    say([key.signer_table, ""])
    say(
        [
            *key.notes,
            "Keep a copy of the file and its password: nobody can restore them, and what this key owns stays with it.",
        ]
    )


@command.command()
@project_option
@chain_option()
@json_option
def address(root: Path, chain: str, as_json: bool) -> None:
    """Print the address that signs for TARGET. The key is not opened."""
    from pipeline.cli.show import json_document, json_errors
    from pipeline.manifest.project import load_project
    from pipeline.manifest.target import load_target
    from pipeline.signing.opening import signer_address
    from pipeline.ui.table import say

    with json_errors(as_json=as_json):
        project = load_project(root)
        target = load_target(project, chain)
        found = signer_address(target, project.root)
    if as_json:
        backend = target.spec.signer.backend if target.spec.signer else None
        document = {"schema": 1, "kind": "contract-ship/signer", "target": chain, "backend": backend, "address": found}
        json_document(document)
        return
    say(found)
