"""``ship review``: a review pack, recomputed on one's own machine."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli.options import chain_option, json_option, project_option

__all__ = ["command"]


@click.command(name="review")
@click.argument("pack", metavar="DIR", type=click.Path(path_type=Path))
@project_option
@chain_option(required=False)
@click.option("--rpc", metavar="URL", help="Your own endpoint, as https://… or env:NAME. No project is needed then.")
@click.option(
    "--bundle", type=click.Path(path_type=Path), help="A bundle of your own build, instead of the pack's copy."
)
@json_option
def command(pack: Path, root: Path, chain: str | None, rpc: str | None, bundle: Path | None, as_json: bool) -> None:
    """Recompute the review pack in DIR from its bundle and your own RPC, and say where it differs.

    The chain is that of --rpc, of --chain in the project, or of the pack's target in the project. Exit code 0 when all of
    it agrees, 2 when anything differs; what comes from the chain having moved since is said to.
    """
    import sys

    from pipeline.cli.show import json_document, json_errors
    from pipeline.review.command import review
    from pipeline.ui.plain import PlainUi
    from pipeline.ui.table import say

    with json_errors(as_json=as_json):
        found = review(pack, root, PlainUi(sys.stderr), target=chain, rpc=rpc, bundle=bundle)
    if as_json:
        json_document(found.to_json())
    else:
        say(found.text().splitlines())
    found.raise_differences()
