"""Which key names hold secrets, and which prefixes make a reference to one."""

from __future__ import annotations

import re

__all__ = ["FORMS", "SCHEMES", "STORE_SCHEMES", "is_secret_name"]

FORMS = {
    "env:": "env:NAME",
    "file:": "file:PATH",
    "vault:": "vault:MOUNT/PATH#FIELD",
    "aws-sm:": "aws-sm:NAME#FIELD",
    "aws-ssm:": "aws-ssm:NAME",
    "sops:": "sops:FILE#path.of.keys",
    "age:": "age:FILE",
    "keyring:": "keyring:SERVICE/NAME",
}
"""How the references of each store are written."""
SCHEMES = tuple(FORMS)
STORE_SCHEMES = SCHEMES[2:]
"""Those that are not read from this process's environment or its files alone."""

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
