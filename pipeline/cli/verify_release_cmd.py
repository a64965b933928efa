"""``ship verify-release``."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli.options import json_option, make_ui

__all__ = ["command"]


@click.command(name="verify-release")
@click.argument("tag")
@click.option(
    "--from",
    "folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder the release was downloaded into.",
)
@click.option("--repository", metavar="OWNER/NAME", help="The GitHub repository to download it from.")
@click.option("--api-url", metavar="URL", help="The API of a GitHub Enterprise.")
@click.option(
    "--rpc",
    multiple=True,
    metavar="TARGET=URL",
    help="An endpoint to ask for a target. The chain's public one otherwise.",
)
@click.option("--signer", metavar="ADDRESS", help="The address that has to have signed the release.")
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    tag: str,
    folder: Path | None,
    repository: str | None,
    api_url: str | None,
    rpc: tuple[str, ...],
    signer: str | None,
    as_json: bool,
) -> None:
    """Prove a release from what was published alone: checksums, statements, bundle, commit, records against the chain.

    Needs nothing of the project, and no token for what is public. Without --from and --repository the git remote of this
    folder says which repository.
    """
    from pipeline.cli.show import json_document, json_errors
    from pipeline.manifest.release_spec import GithubSpec
    from pipeline.records.text import render_verified
    from pipeline.released.verifying import Asked, verify_release
    from pipeline.ui.table import say

    if folder is not None and repository is not None:
        raise click.UsageError("--from is a release that is here already: leave --repository out.")
    ui = make_ui(as_json=as_json)
    try:
        with json_errors(as_json=as_json):
            # Both are judged where they are used, as those of the environment are.
            spec = GithubSpec.model_construct(repository=repository, api_url=api_url, token=None, app=None)
            asked = Asked(tag, folder, spec, rpc=rpc, signer=signer)
            verified = verify_release(Path.cwd(), asked, ui)
    finally:
        ui.close()
    if as_json:
        json_document(verified.to_json())
    else:
        say(render_verified([verified.release, *verified.records], restore="download the release again"))
    ctx.exit(verified.exit_code)
