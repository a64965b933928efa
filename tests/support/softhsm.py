"""SoftHSM for a test: a token of its own in a folder of its own, and keys made on it by the vendor-neutral API.

The library reads SOFTHSM2_CONF when it is loaded, and sees only the tokens that were there then, so a test process makes a
stock of them first; a test takes one of its own.
"""

from __future__ import annotations

import ast
import atexit
import itertools
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.support.missing import missing

__all__ = ["PIN", "Token", "library", "new_token"]

PIN = "canary-pin-8362"
SO_PIN = "so-pin-1234"
ED25519 = b"\x13\x0cedwards25519"
_LIBRARIES = (
    "/usr/lib/softhsm/libsofthsm2.so",
    *map(str, Path("/usr/lib").glob("*/softhsm/libsofthsm2.so")),
    "/usr/local/lib/softhsm/libsofthsm2.so",
    "/opt/homebrew/lib/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
)
_STOCK = 24


def library() -> str:
    """The library's path; configured for this process."""
    found = next((path for path in _LIBRARIES if Path(path).is_file()), None)
    if found is None or shutil.which("softhsm2-util") is None:
        missing("SoftHSM is missing: run scripts/bootstrap --services")
    _stock()
    return found


@cache
def _stock() -> Iterator[str]:
    folder = Path(tempfile.mkdtemp(prefix="ship-softhsm-"))
    (folder / "tokens").mkdir()
    conf = folder / "softhsm2.conf"
    conf.write_text(f"directories.tokendir = {folder / 'tokens'}\nobjectstore.backend = file\nlog.level = ERROR\n")
    os.environ["SOFTHSM2_CONF"] = str(conf)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    labels = [f"ship-{os.getpid()}-{number}" for number in range(_STOCK)]
    for label in labels:
        subprocess.run(
            ["softhsm2-util", "--init-token", "--free", "--label", label, "--pin", PIN, "--so-pin", SO_PIN],
            check=True,
            capture_output=True,
            timeout=60,
        )
    return iter(labels)


@dataclass
class Token:
    """A token with a label of its own. Keys are made by a process of its own, as its owner would have made them."""

    label: str
    library: str
    _ids: Any = field(default_factory=lambda: itertools.count(1))

    def key(self, label: str, kind: str = "secp256k1", **flags: Any) -> bytes:
        """Make a key pair; gives its id."""
        key_id = bytes([next(self._ids)])
        self.run("key", label, kind, key_id.hex(), repr(flags))
        return key_id

    def destroy(self, label: str) -> None:
        self.run("destroy", label)

    def run(self, *arguments: str) -> None:
        environment = {**os.environ, "HSM_PIN": PIN, "HSM_LABEL": self.label, "HSM_LIBRARY": self.library}
        subprocess.run([sys.executable, __file__, *arguments], env=environment, check=True, timeout=60)


def new_token() -> Token:
    path = library()
    return Token(next(_stock(), None) or pytest.fail("more tokens are used than the stock has"), path)


def _main(command: str, label: str, kind: str = "", key_id: str = "", flags: str = "{}") -> None:
    import pkcs11
    from pkcs11 import Attribute, KeyType, Mechanism
    from pkcs11.util.ec import encode_named_curve_parameters

    token = pkcs11.lib(os.environ["HSM_LIBRARY"]).get_token(token_label=os.environ["HSM_LABEL"])
    session = token.open(rw=True, user_pin=os.environ["HSM_PIN"])
    if command == "destroy":
        for item in list(session.get_objects({Attribute.LABEL: label})):
            item.destroy()
        return
    private = {Attribute[name]: value for name, value in ast.literal_eval(flags).items()}
    if kind == "ed25519":
        key_type, params = KeyType.EC_EDWARDS, ED25519
        mechanism = {"mechanism": Mechanism.EC_EDWARDS_KEY_PAIR_GEN}
    else:
        key_type, params, mechanism = KeyType.EC, encode_named_curve_parameters(kind), {}
    domain = session.create_domain_parameters(key_type, {Attribute.EC_PARAMS: params}, local=True)
    domain.generate_keypair(
        store=True,
        label=label,
        id=bytes.fromhex(key_id),
        private_template=private,
        **mechanism,  # type: ignore[arg-type]
    )


if __name__ == "__main__":
    _main(*sys.argv[1:])
