"""Where a keystore's password comes from: a file, a file descriptor, a secret reference, or a prompt. Never an argument."""

from __future__ import annotations

import getpass
import os
import stat
import sys
from dataclasses import dataclass
from pathlib import Path

from chains.errors import Refused, Where
from pipeline.manifest.secrets import register_secret

__all__ = ["PasswordOptions", "PasswordUnavailable"]

_MAX_BYTES = 4096


class PasswordUnavailable(Refused):
    """SHIP-S12: no password was given."""

    code = "SHIP-S12"


@dataclass(frozen=True)
class PasswordOptions:
    """The command line's word on it; ``reference`` is the target's, already resolved."""

    file: Path | None = None
    descriptor: int | None = None
    reference: str | None = None

    def __call__(self, keystore: str) -> str:
        """The password, known to the redactor from then on. Raises ``PasswordUnavailable``."""
        password = self._read(keystore)
        register_secret(password)
        return password

    def _read(self, keystore: str) -> str:
        if self.file is not None:
            return self._from_file(self.file)
        if self.descriptor is not None:
            try:
                with os.fdopen(self.descriptor, "rb", closefd=False) as stream:
                    return _line(stream.read(_MAX_BYTES))
            except OSError as error:
                raise PasswordUnavailable(
                    f"file descriptor {self.descriptor} cannot be read: {error.strerror}",
                    remedy="Open it for reading: `ship … --password-fd 3 3<FILE`.",
                ) from error
        if self.reference is not None:
            return self.reference
        if sys.stdin.isatty():
            return getpass.getpass(f"Password of the keystore {keystore}: ")
        raise PasswordUnavailable(
            f"the keystore {keystore} needs a password and there is no terminal to ask on",
            remedy="Give --password-file FILE (mode 0600) or --password-fd N, or set `password` under [signer].",
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
