"""``age:FILE``: a file encrypted with age, opened by the identities of ``AGE_IDENTITY_FILE`` or sops's variables.

The format: https://age-encryption.org/v1. Identities are age's own X25519 ones and unencrypted SSH keys.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.manifest.secrets import register_secret
from pipeline.secrets.base import NotGiven
from pipeline.secrets.files import read_regular, text_of

__all__ = ["AgeStore", "open_store"]

_MAX_BYTES = 256 * 1024
_BINARY, _ARMORED = b"age-encryption.org/", b"-----BEGIN AGE ENCRYPTED FILE-----"
_REMEDY = "Name the file of a fitting identity by AGE_IDENTITY_FILE (or SOPS_AGE_KEY_FILE)."


@dataclass(frozen=True)
class AgeStore:
    """Files under ``root``, and the identities ``environment`` names."""

    root: Path
    environment: Mapping[str, str]

    def parse(self, rest: str) -> tuple[str, None]:
        return rest, None

    def fetch(self, name: str) -> str:
        content = read_regular(self.root, name, _MAX_BYTES)
        return text_of(_decrypted(content, name, self.environment), f"what {name} holds")


def open_store(scheme: str, root: Path) -> AgeStore:
    return AgeStore(root, os.environ)


def _decrypted(content: bytes, what: str, environment: Mapping[str, str]) -> bytes:
    """``content``, of a file called ``what``, in the clear."""
    import pyrage

    if not content.lstrip().startswith((_BINARY, _ARMORED)):
        raise NotGiven(f"{what} is not encrypted with age")
    identities = _identities(environment)
    try:
        return bytes(pyrage.decrypt(content, identities))
    except pyrage.DecryptError as error:
        # Only which of the two it is: the library's words are not shown.
        if "matching" in str(error).lower():
            raise NotGiven(f"no identity given here opens {what}", _REMEDY) from None
        raise NotGiven(f"{what} is damaged", "Encrypt it again.") from None


def _identities(environment: Mapping[str, str]) -> list[Any]:
    name = next((n for n in ("AGE_IDENTITY_FILE", "SOPS_AGE_KEY_FILE") if environment.get(n)), None)
    if name is None and environment.get("SOPS_AGE_KEY"):
        return _parsed(environment["SOPS_AGE_KEY"], "SOPS_AGE_KEY")
    if name is None:
        raise NotGiven("no identity to open it is named", _REMEDY)
    content = read_regular(Path.cwd(), environment[name], _MAX_BYTES)  # as every program reads its variables
    if content.startswith((_BINARY, _ARMORED)):
        raise NotGiven(f"the file {name} names is encrypted itself", "Use an identity without a passphrase here.")
    return _parsed(text_of(content, f"the file {name} names"), f"the file {name} names")


def _parsed(text: str, what: str) -> list[Any]:
    import pyrage

    register_secret(text)
    try:
        if "-----BEGIN" in text:
            return [pyrage.ssh.Identity.from_buffer(text.encode())]
        lines = [line.strip() for line in text.splitlines()]
        keys = [line for line in lines if line and not line.startswith("#")]
        for key in keys:
            register_secret(key)
        found = [pyrage.x25519.Identity.from_str(key) for key in keys]
    except (pyrage.IdentityError, ValueError):
        raise NotGiven(f"{what} holds something that is no identity of age's", _REMEDY) from None
    if not found:
        raise NotGiven(f"{what} holds no identity", _REMEDY)
    return found
