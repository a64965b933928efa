"""Where a keystore's password or a token's PIN comes from: a file, a file descriptor, a secret reference, or a prompt. Never an argument."""

from __future__ import annotations

import getpass
import os
import stat
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from chains.errors import Refused, Where
from pipeline.manifest.secrets import register_secret

__all__ = ["PasswordOptions", "PasswordUnavailable"]

_MAX_BYTES = 4096


class PasswordUnavailable(Refused):
    """SHIP-S12: no password was given."""

    code = "SHIP-S12"


@dataclass
class PasswordOptions:
    """What the command line says. A descriptor is read once, and its password used for every keystore and token of the run."""

    file: Path | None = None
    descriptor: int | None = None
    _read_before: str | None = field(default=None, repr=False)

    def __call__(self, what: str, stored: Callable[[], str] | None = None) -> str:
        """``what`` ("password of the keystore k.json"), known to the redactor from then on: from the command line, else
        ``stored`` (what the target's reference holds), else a prompt. Raises ``PasswordUnavailable``.
        """
        password = self._read(what, stored)
        register_secret(password)
        return password

    def _read(self, what: str, stored: Callable[[], str] | None) -> str:
        if self.file is not None:
            return self._from_file(self.file)
        if self.descriptor is not None:
            try:
                if self._read_before is None:
                    with os.fdopen(self.descriptor, "rb", closefd=False) as stream:
                        self._read_before = _line(stream.read(_MAX_BYTES))
            except OSError as error:
                raise PasswordUnavailable(
                    f"file descriptor {self.descriptor} cannot be read: {error.strerror}",
                    remedy="Open it for reading: `ship … --password-fd 3 3<FILE`.",
                ) from error
            return self._read_before
        if stored is not None:
            return stored()
        if sys.stdin.isatty():
            return getpass.getpass(f"{what[:1].upper()}{what[1:]}: ")
        raise PasswordUnavailable(
            f"the {what} is needed and there is no terminal to ask on",
            remedy="Give --password-file FILE (mode 0600) or --password-fd N, or set `password` (of a token: `pin`) under [signer].",
        )

    @staticmethod
    def _from_file(path: Path) -> str:
        try:
            mode = path.stat().st_mode
            if stat.S_IMODE(mode) & 0o077:
                raise PasswordUnavailable(
                    "others may read this password file", where=Where(str(path)), remedy=f"chmod 600 {path}"
                )
            with path.open("rb") as stream:
                return _line(stream.read(_MAX_BYTES))
        except OSError as error:
            raise PasswordUnavailable(
                f"the password file cannot be read: {error.strerror}",
                where=Where(str(path)),
                remedy="Name a file that holds the password on its first line.",
            ) from error


def _line(data: bytes) -> str:
    return data.split(b"\n", 1)[0].rstrip(b"\r").decode()
