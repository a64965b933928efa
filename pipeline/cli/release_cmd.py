"""``ship release``."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli.options import json_option, make_ui, project_option

__all__ = ["command"]


@click.command(name="release")
@project_option
@click.option("--draft", is_flag=True, help="Stop before publishing: the draft is whole, and nobody sees it yet.")
@click.option("--dry-run", "dry", is_flag=True, help="Look at everything, say what would be written, write nothing.")
@json_option
def command(root: Path, draft: bool, dry: bool, as_json: bool) -> None:
    """Publish this version on GitHub: tag, release with records, bundle and proofs, deployments.

    Every target has to hold this version, recorded and final. The same command goes on after an interruption, and says
    "already released" when there is nothing to do. A published release is never changed.
    """
    from pipeline.cli.show import json_document, json_errors
    from pipeline.release.releasing import release_project

    ui = make_ui(as_json=as_json)
    try:
        with json_errors(as_json=as_json):
            outcome = release_project(root, ui, draft=draft, dry=dry)
    finally:
        ui.close()
    if as_json:
        json_document(outcome.to_json())
        return
    tag = outcome.materials.tag
    words = {
        "published": f"done: {tag} is published, {outcome.url}",
        "already": f"done: {tag} is already released, {outcome.url}",
        "draft": f"done: {tag} is a draft, {outcome.url}; `ship release` publishes it",
        "dry-run": f"nothing was written; `ship release` would release {tag}",
    }
    click.echo(f"\n{words[outcome.state]}")
