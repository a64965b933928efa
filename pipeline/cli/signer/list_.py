"""``ship signer list``."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli.options import json_option, project_option

__all__ = ["list_"]


@click.command(name="list")
@project_option
@json_option
def list_(root: Path, as_json: bool) -> None:
    """Show who signs for each target: backend, pinned address, the address found, what keeps the key. No secrets.

    No key is opened. A service that holds one is asked for its address; exit code 2 when a signer cannot be used.
    """
    from pipeline.cli.show import json_document, json_errors
    from pipeline.manifest.project import load_project
    from pipeline.signing.listing import list_signers
    from pipeline.ui.table import say

    with json_errors(as_json=as_json):
        listed = list_signers(load_project(root))
    if as_json:
        json_document({"schema": 1, "kind": "contract-ship/signers", "signers": [one.to_json() for one in listed]})
    else:
        width = max((len(one.target) for one in listed), default=0)
        for one in listed:
            pin = "pinned" if one.pinned else "not pinned"
            facts = [one.backend or "none", one.found or one.pinned or "-", pin, one.kept_by or "unknown"]
            say(f"{one.target:<{width}}  {'  '.join(facts)}")
            if one.problem:
                say(f"{'':<{width}}  ! {one.problem}")
    if any(one.problem for one in listed):
        raise click.exceptions.Exit(2)
