"""Making an encrypted key, and the lines that make a target use it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from chains.errors import Refused, Where
from pipeline.manifest.secrets import register_secret
from pipeline.signing.keystore import create_keystore
from pipeline.signing.keystore_backend import IN_MEMORY
from pipeline.signing.password import PasswordOptions, PasswordUnavailable

__all__ = ["MIN_PASSWORD", "KeystoreNotWritable", "NewKey", "PasswordTooWeak", "make_key"]

MIN_PASSWORD = 8


class PasswordTooWeak(Refused):
    """SHIP-S13: the password for a new key is too short."""

    code = "SHIP-S13"


class KeystoreNotWritable(Refused):
    """SHIP-S14: the keystore cannot be written where it was asked for."""

    code = "SHIP-S14"


@dataclass(frozen=True)
class NewKey:
    """A key that was just written. ``signer_table`` is TOML to paste into a target.

    ``address`` is an Ethereum address, or a Solana public key in base58.
    """

    path: Path
    address: str
    signer_table: str
    notes: tuple[str, ...]


def make_key(
    out: Path,
    password: PasswordOptions,
    root: Path,
    ask: Callable[[], str],
    *,
    key: Callable[[], bytes] | None = None,
    solana: bool = False,
) -> NewKey:
    """Write an encrypted key to ``out``: a new one, or what ``key`` gives. ``ask`` prompts for the password when
    ``password`` names no source of it.

    Raises ``KeystoreNotWritable``, ``PasswordTooWeak`` and ``PasswordUnavailable``, before anything is written.
    """
    path = out.absolute()
    if path.exists() or path.is_symlink():
        raise KeystoreNotWritable(
            "the file exists already and is not overwritten: it may be the only copy of a key",
            where=Where(str(out)),
            remedy="Choose another name.",
        )
    given = key() if key is not None else None
    text = _password(password, out.name, ask)
    if len(text) < MIN_PASSWORD:
        raise PasswordTooWeak(
            f"the password has {len(text)} characters, {MIN_PASSWORD} or more are needed",
            remedy="Choose a longer one: a few unrelated words are good.",
        )
    try:
        address = create_keystore(path, text, given, solana=solana)
    except OSError as error:
        raise KeystoreNotWritable(
            f"the keystore cannot be written: {error.strerror}",
            where=Where(str(out)),
            remedy="Choose a folder that can be written to.",
        ) from error
    file, notes = _file_key(path, root)
    pin = "public-key" if solana else "address"
    table = f'[signer]\nbackend = "keystore"\nfile = {json.dumps(file)}\n{pin} = "{address}"'
    return NewKey(path, address, table, (*notes, IN_MEMORY))


def _password(options: PasswordOptions, name: str, ask: Callable[[], str]) -> str:
    if options.file is None and options.descriptor is None:
        if not sys.stdin.isatty():
            raise PasswordUnavailable(
                "a new key needs a password and there is no terminal to ask on",
                remedy="Give --password-file FILE (mode 0600) or --password-fd N.",
            )
        text = ask()
        register_secret(text)
        return text
    return options(f"password of the keystore {name}")


def _file_key(path: Path, root: Path) -> tuple[str, tuple[str, ...]]:
    """How ``file`` under [signer] names ``path``, and what to know about it."""
    real, home = path.resolve(), Path.home().resolve()
    if real.is_relative_to(root):
        note = "It lies in the project: keep it out of version control."
        return real.relative_to(root).as_posix(), (note,)
    if real.is_relative_to(home):
        return f"~/{real.relative_to(home).as_posix()}", ()
    return "env:SHIP_KEYSTORE", (f"Outside project and home: set SHIP_KEYSTORE to {path}.",)
