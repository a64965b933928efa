"""``ship verify``: the bytecode proof, now, and the sources on explorers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.options import chain_option, json_option, project_option

if TYPE_CHECKING:
    from pipeline.programs.verify import VerifiedPrograms
    from pipeline.ui.base import Ui
    from pipeline.verifying import Verified

__all__ = ["command"]


def _arguments(context: click.Context, parameter: click.Parameter, value: str | None) -> bytes | None:
    if value is None:
        return None
    try:
        return bytes.fromhex(value.removeprefix("0x"))
    except ValueError:
        raise click.BadParameter("not hex data") from None


@click.command(name="verify")
@project_option
@chain_option(required=False)
@click.option("--local", is_flag=True, help="The proof of the bytes alone: no explorer is asked, nothing is written.")
@click.option("--address", metavar="ADDRESS", help="A contract that another tool deployed.")
@click.option("--contract", metavar="PATH:NAME", help="What lies at --address, as this project builds it.")
@click.option(
    "--args",
    "arguments",
    callback=_arguments,
    help="Its constructor's arguments, ABI-encoded (hex), where no node traces.",
)
@click.option("--all", "everywhere", is_flag=True, help="Every target.")
@click.option("--report", is_flag=True, help="With --all: one table of every contract at every service.")
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="With --report: write it there as JSON, too."
)
@json_option
def command(
    root: Path,
    chain: str | None,
    local: bool,
    address: str | None,
    contract: str | None,
    arguments: bytes | None,
    everywhere: bool,
    report: bool,
    out: Path | None,
    as_json: bool,
) -> None:
    """Prove that everything live on TARGET is what was built, and see that its explorers show the sources.

    Each contract is held against the bundle it was deployed from in three ways: its runtime code, the input of the
    transaction that created it, and its init code run again. What is proven is handed in where [verify] says and is not
    shown yet. Exit code 4 when a contract is not what was built or a service refuses it, 3 when a service does not
    show it yet, 2 when its bundle is not here.
    """
    import sys

    from pipeline.ui.plain import PlainUi

    if everywhere == (chain is not None):
        raise click.UsageError("Name a target with --chain, or say --all.")
    if (address is None) != (contract is None):
        raise click.UsageError("--address and --contract go together.")
    if (address is not None or arguments is not None) and (everywhere or address is None):
        raise click.UsageError("--address goes with --chain, and --args with --address.")
    if (report or out is not None) and not (everywhere and report):
        raise click.UsageError("--report goes with --all, and --out with --report.")
    ui = PlainUi(sys.stderr)
    if address is not None:
        _one(root, str(chain), address, str(contract), arguments, ui, local=local, as_json=as_json)
    elif everywhere:
        _everywhere(root, ui, local=local, report=report, out=out, as_json=as_json)
    else:
        _target(root, str(chain), ui, local=local, as_json=as_json)


def _target(root: Path, chain: str, ui: Ui, *, local: bool, as_json: bool) -> None:
    from pipeline.cli.show import json_document, json_errors
    from pipeline.manifest.project import load_project
    from pipeline.manifest.target import load_target
    from pipeline.ui.table import say

    with json_errors(as_json=as_json):
        project = load_project(root)
        target = load_target(project, chain)
        if target.chain.kind == "solana":
            from pipeline.programs.verify import verify_programs

            verified: Verified | VerifiedPrograms = verify_programs(project, target, ui)
        else:
            from pipeline.verifying import verify_target

            verified = verify_target(root, chain, ui, local=local)
    if as_json:
        json_document(verified.to_json())
    else:
        say(_rendered(verified))
    verified.raise_problems()


def _rendered(verified: Verified | VerifiedPrograms) -> list[str]:
    from pipeline.verify_text import render_verified
    from pipeline.verifying import Verified

    if isinstance(verified, Verified):
        return render_verified(verified)
    from pipeline.programs.verify import render_verified_programs

    return render_verified_programs(verified)


def _one(
    root: Path, chain: str, address: str, contract: str, arguments: bytes | None, ui: Ui, *, local: bool, as_json: bool
) -> None:
    from chains.evm.address import address_bytes
    from pipeline.cli.show import json_document, json_errors
    from pipeline.publishing.foreign import verify_address
    from pipeline.ui.table import say
    from pipeline.verify_text import render_address
    from pipeline.verifying import raise_unpublished

    try:
        address_bytes(address)
    except ValueError:
        raise click.BadParameter("not an address: 0x and 40 hex digits", param_hint="--address") from None
    with json_errors(as_json=as_json):
        found = verify_address(root, chain, address, contract, arguments, ui, local=local)
    if as_json:
        json_document(found.to_json())
    else:
        say(render_address(found))
    raise_unpublished(found.published, f"ship verify --chain {chain} --address {address} --contract {contract}")


def _everywhere(root: Path, ui: Ui, *, local: bool, report: bool, out: Path | None, as_json: bool) -> None:
    from chains.canonical import pretty
    from chains.files import write_atomic
    from pipeline.cli.show import json_document, json_errors
    from pipeline.ui.table import say
    from pipeline.verify_text import render_report
    from pipeline.verifying import Verified, report_document, verify_all

    with json_errors(as_json=as_json):
        verified = verify_all(root, ui, local=local)
    document = report_document(verified)
    if out is not None:
        write_atomic(out, pretty(document))
    if as_json:
        json_document(document)
    elif report:
        say(render_report([one for one in verified if isinstance(one, Verified)]))
    else:
        for one in verified:
            say([*_rendered(one), ""])
    for one in verified:
        one.raise_problems()
