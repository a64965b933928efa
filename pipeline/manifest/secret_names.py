"""Which key names hold secrets, and which prefixes make a reference to one."""

from __future__ import annotations

import re

__all__ = ["BUILT_SCHEMES", "PLANNED_SCHEMES", "SCHEMES", "is_secret_name"]

BUILT_SCHEMES = ("env:", "file:")
PLANNED_SCHEMES = ("vault:", "aws-sm:", "sops:", "keyring:")
SCHEMES = BUILT_SCHEMES + PLANNED_SCHEMES

_ALWAYS = re.compile(
    r"password|passphrase|passwd|privatekey|secretkey|mnemonic|seedphrase|seedwords|apikey|accesskey|accesstoken|authtoken"
    r"|bearer|clientsecret|webhooksecret"
)
_PUBLIC = frozenset({"tokenlabel"})
"""Names of our own that only sound like it: a PKCS#11 token's label."""
_UNLESS_PUBLIC = re.compile(r"secret|token|^pin$|^pk$|credential")


def is_secret_name(name: str, *, public: bool) -> bool:
    """Whether a key called ``name`` holds a secret. ``public``: among arguments, where "token" is an address."""
    plain = re.sub(r"[^a-z]", "", name.casefold())
    if plain in _PUBLIC:
        return False
    return bool(_ALWAYS.search(plain)) or (not public and bool(_UNLESS_PUBLIC.search(plain)))
