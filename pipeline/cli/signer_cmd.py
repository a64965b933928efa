"""``ship signer``: encrypted keys, and who signs for a target."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.options import chain_option, json_option, password_options, project_option
from pipeline.cli.signer.list_ import list_
from pipeline.cli.signer.policy import policy
from pipeline.cli.signer.rotate import rotate
from pipeline.cli.signer.test_ import test_
from pipeline.signing.password import PasswordOptions

__all__ = ["command"]


if TYPE_CHECKING:
    from pipeline.signing.importing import Source

_kind_option = click.option(
    "--kind",
    type=click.Choice(["secp256k1", "ed25519"]),
    default="secp256k1",
    help="secp256k1 for EVM chains, ed25519 for Solana [default: secp256k1].",
)


@click.group(name="signer")
def command() -> None:
    """Make or import an encrypted key; show, test or rotate a target's; print what a cloud has to allow."""


command.add_command(list_)
command.add_command(policy)
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
@_kind_option
@password_options
@json_option
def new(root: Path, out: Path, kind: str, password: PasswordOptions, as_json: bool) -> None:
    """Make a new key, encrypted with a password (at least 8 characters), readable by you only.

    The password is asked for twice, or read from --password-file or --password-fd.
    """
    _write(root, out, password, None, solana=kind == "ed25519", as_json=as_json)


@command.command(name="import")
@project_option
@click.option(
    "--from",
    "form",
    type=click.Choice(["mnemonic", "solana-keygen", "hex"]),
    required=True,
    help="What the key is in: a wallet's words (BIP-39), a solana-keygen file, or 64 hex digits.",
)
@click.option(
    "--out",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where to write it. Never overwritten.",
)
@_kind_option
@click.option(
    "--index", type=click.IntRange(0, 2**31 - 1), default=0, help="mnemonic: the account's number [default: 0]."
)
@click.option(
    "--source-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The file with the key, one line, mode 0600. Without it or --source-fd you are asked.",
)
@click.option("--source-fd", type=int, help="An open file descriptor to read the key from.")
@click.option("--passphrase-fd", type=int, help="mnemonic: an open file descriptor with its passphrase, if it has one.")
@password_options
@json_option
def import_(
    root: Path,
    form: str,
    out: Path,
    kind: str,
    index: int,
    source_file: Path | None,
    source_fd: int | None,
    passphrase_fd: int | None,
    password: PasswordOptions,
    as_json: bool,
) -> None:
    """Encrypt a key you have: from a mnemonic (m/44'/60'/0'/0/N, or m/44'/501'/N'/0' with --kind ed25519), a
    solana-keygen file, or a hex private key. It is asked for or read, and never an argument.
    """
    from pipeline.signing.importing import FORMS, Source

    solana = kind == "ed25519" or form == "solana-keygen"
    passphrase = PasswordOptions(None, passphrase_fd) if passphrase_fd is not None else None
    chosen = next(known for known in FORMS if known == form)
    source = Source(chosen, PasswordOptions(source_file, source_fd), solana, index, passphrase)
    _write(root, out, password, source, solana=solana, as_json=as_json)


def _write(
    root: Path, out: Path, password: PasswordOptions, source: Source | None, *, solana: bool, as_json: bool
) -> None:
    from pipeline.cli.show import json_document, json_errors
    from pipeline.signing.making import make_key
    from pipeline.ui.table import say

    def ask() -> str:
        return str(click.prompt(f"Password for {out.name}", hide_input=True, confirmation_prompt=True, err=True))

    with json_errors(as_json=as_json):
        key = make_key(out, password, root, ask, key=source.key if source else None, solana=solana)
    name = "public-key" if solana else "address"
    if as_json:
        json_document(
            {"schema": 1, "kind": "contract-ship/signer", name.replace("-", "_"): key.address, "file": str(key.path)}
        )
        return
    say([f"wrote    {out}", f"{'key' if solana else 'address':<8} {key.address}", "", "For the target's manifest:", ""])
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
    """Print the address (on Solana: the public key) that signs for TARGET. The key is not opened.

    What there is to know of where it is kept goes to stderr.
    """
    from pipeline.cli.show import json_document, json_errors
    from pipeline.manifest.project import load_project
    from pipeline.manifest.target import load_target
    from pipeline.signing.opening import signer_address, signer_notes
    from pipeline.ui.table import say

    with json_errors(as_json=as_json):
        project = load_project(root)
        target = load_target(project, chain)
        solana = target.chain.kind == "solana"
        if solana:
            from pipeline.programs.keys import deployer_and_payer

            found = deployer_and_payer(target, project.root)[0]
        else:
            found = signer_address(target, project.root)
        vault = target.spec.signer is not None and target.spec.signer.backend == "squads"
        notes = () if vault else signer_notes(target, project.root)
    if as_json:
        backend = target.spec.signer.backend if target.spec.signer else None
        key = "public_key" if solana else "address"
        document = {"schema": 1, "kind": "contract-ship/signer", "target": chain, "backend": backend, key: found}
        json_document({**document, "notes": list(notes)})
        return
    say(found)
    for note in notes:
        click.echo(note, err=True)
