"""``ship release``."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli.options import json_option, make_ui, password_options, project_option
from pipeline.signing.password import PasswordOptions

__all__ = ["command"]


@click.command(name="release")
@click.argument("version", required=False)
@project_option
@click.option("--draft", is_flag=True, help="Stop before publishing: the draft is whole, and nobody sees it yet.")
@click.option("--dry-run", "dry", is_flag=True, help="Look at everything, say what would be written, write nothing.")
@click.option(
    "--sign-with",
    "key",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file with [signer]: the release key, which signs checksums.txt [default: the one under [release]].",
)
@password_options
@json_option
def command(
    version: str | None,
    root: Path,
    draft: bool,
    dry: bool,
    key: Path | None,
    password: PasswordOptions,
    as_json: bool,
) -> None:
    """Publish this version on GitHub: tag, release with records, bundle and proofs, deployments.

    Every target has to hold this version, recorded and final. The same command goes on after an interruption, and says
    "already released" when there is nothing to do. A published release is never changed. VERSION is needed for one that a
    candidate was promoted to, which no file names.
    """
    from pipeline.cli.show import json_document, json_errors
    from pipeline.release.releasing import release_project
    from pipeline.release.signing import ReleaseKey

    ui = make_ui(as_json=as_json)
    try:
        with json_errors(as_json=as_json):
            outcome = release_project(
                root,
                ui,
                draft=draft,
                dry=dry,
                version=version.removeprefix("v") if version else None,
                key=ReleaseKey(key, password),
            )
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
