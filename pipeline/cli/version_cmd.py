"""``ship version``: the next version, by what changed."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli.options import chain_option, json_option, make_ui, project_option

__all__ = ["command"]


@click.command(name="version")
@project_option
@chain_option(required=False)
@click.option("--all-targets", is_flag=True, help="Hold against each target's own newest stable release.")
@click.option("--rc", "channel", flag_value="rc", help="The next release candidate.")
@click.option("--beta", "channel", flag_value="beta", help="The next beta.")
@click.option("--alpha", "channel", flag_value="alpha", help="The next alpha.")
@click.option("--check", is_flag=True, help="Refuse (exit code 2) a version that is too small for what changed.")
@click.option("--write", is_flag=True, help="Write the version to ship.toml and the version files.")
@json_option
def command(
    root: Path, chain: str | None, all_targets: bool, channel: str | None, check: bool, write: bool, as_json: bool
) -> None:
    """Say which version this build needs, with every reason.

    Builds, and holds the bundle against that of the newest stable release: interfaces, storage layouts, IDLs, bytes.
    """
    from pipeline.cli.show import json_document, json_errors
    from pipeline.trying import build_project
    from pipeline.ui.table import say
    from pipeline.versioning.deciding import decide, refuse_small_bump
    from pipeline.versioning.files import write_version
    from pipeline.versioning.text import document, render

    if chain and all_targets:
        raise click.UsageError("--chain and --all-targets exclude each other.")
    if check and (write or channel):
        raise click.UsageError("--check only judges the version there is: leave out --write and the channel.")
    ui = make_ui(as_json=as_json)
    with json_errors(as_json=as_json):
        try:
            project, built = build_project(root, chain, ui)
        finally:
            ui.close()
        decision = decide(project, built.bundle, channel, target=chain, all_targets=all_targets)
        written = write_version(project, str(decision.next)) if write and decision.next is not None else []
        if check:
            refuse_small_bump(project, built.bundle)
    if as_json:
        json_document(document(project, decision, written))
    else:
        say(["", *render(project, decision, written)])
