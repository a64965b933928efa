"""``ship sign sign``: on the machine with the key."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli.options import password_options
from pipeline.signing.password import PasswordOptions

__all__ = ["sign"]

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("request_file", metavar="REQUEST", type=_FILE)
@click.option("--keystore", type=_FILE, help="An encrypted keyfile.")
@click.option("--signer", "signer_file", type=_FILE, help="A TOML file with schema = 1 and a [signer] table.")
@password_options
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Where to [default: REQUEST.signed.json].")
@click.option("--cast", is_flag=True, help="Write raw transactions, one a line, as `cast publish` takes them.")
@click.option("--yes", is_flag=True, help="Sign without asking. The summary is shown all the same.")
def sign(
    request_file: Path,
    keystore: Path | None,
    signer_file: Path | None,
    password: PasswordOptions,
    out: Path | None,
    cast: bool,
    yes: bool,
) -> None:
    """Show what REQUEST asks for, read from the bytes, and sign it. Needs no project and no network.

    Every hash in REQUEST is recomputed, and every transaction held against the plan it carries. Compare the request's
    sha256 with the one shown on the other machine before saying yes.
    """
    from chains.files import write_atomic
    from pipeline.cli.sign.asking import confirmed
    from pipeline.signing.offline.files import read_request, signed_path
    from pipeline.signing.offline.formats import cast_lines
    from pipeline.signing.offline.signing import checked, keystore_key, sign_request, signer_file_key
    from pipeline.signing.offline.summary import render_request
    from pipeline.ui.table import say

    if (keystore is None) == (signer_file is None):
        raise click.UsageError("Give either --keystore FILE or --signer FILE.")
    request = checked(read_request(request_file), request_file)
    say([render_request(request), ""])
    confirmed(len(request.transactions), yes=yes)
    if keystore is not None:
        backend = keystore_key(keystore, password)
    else:
        assert signer_file is not None
        backend = signer_file_key(signer_file, request, password)
    signed = sign_request(request, backend)
    path = out or (request_file.with_suffix(".signed.txt") if cast else signed_path(request_file))
    if cast:
        write_atomic(path, cast_lines(raw for _, raw in signed.transactions).encode())
    else:
        signed.write(path)
    say([f"signed   {len(signed.transactions)} transactions", f"wrote    {path}"])
