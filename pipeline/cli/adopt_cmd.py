"""``ship adopt``."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli.options import chain_option, json_option, make_ui, project_option

__all__ = ["command"]


@click.command(name="adopt")
@project_option
@chain_option()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--as", "named", multiple=True, metavar="NAME=ADDRESS", help="The unit NAME of ship.toml lies at ADDRESS."
)
@click.option("--skip", multiple=True, metavar="NAME", help="Leave a unit out.")
@click.option("--yes", is_flag=True, help="Take over what is proven without asking.")
@json_option
def command(
    root: Path,
    chain: str,
    files: tuple[Path, ...],
    named: tuple[str, ...],
    skip: tuple[str, ...],
    yes: bool,
    as_json: bool,
) -> None:
    """Take over contracts that are on chain already, after proving that they are what ship.toml says.

    FILES are Foundry broadcasts, hardhat-deploy or Ignition deployments, OpenZeppelin manifests, or lists of names and
    addresses. Nothing is sent, and nothing is written unless everything that was found is proven.
    """
    from pipeline.adopting.command import AdoptOptions, adopt_project
    from pipeline.cli.show import json_document, json_errors

    ui = make_ui(as_json=as_json)
    with json_errors(as_json=as_json):
        try:
            result = adopt_project(root, chain, AdoptOptions(files, named, skip, yes), ui)
        finally:
            ui.close()
    if as_json:
        json_document(result.to_json())
        return
    count = sum(1 for p in result.adoption.proven if p.address)
    ui.block(f"\ndone: {count} contract{'s' * (count != 1)} adopted on {chain}, record {result.to_json()['record']}")
