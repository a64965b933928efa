"""The ``keystore`` backend: the target's keyfile, found, and opened with its password."""

from __future__ import annotations

import os
from pathlib import Path

from chains.errors import Where
from pipeline.signing.context import SignerContext, SignerUnavailable
from pipeline.signing.ed25519 import LocalEd25519
from pipeline.signing.keystore import (
    KeystoreInvalid,
    LocalKey,
    keystore_address,
    keystore_public_key,
    open_keystore,
    open_solana_keystore,
)

__all__ = ["IN_MEMORY", "ed25519_public_key", "evm_address", "keystore_path", "notes", "open_ed25519", "open_evm"]

IN_MEMORY = (
    "The keystore backend holds the private key in ship's memory while it signs; a KMS or an HSM never gives it out."
)


def keystore_path(context: SignerContext) -> Path:
    """Where the keyfile lies: ``file`` under [signer], which may be ``env:NAME``. Raises ``SignerUnavailable``."""
    name = context.spec.file
    if name is None:
        raise context.unavailable(
            "the keystore backend needs a file",
            remedy='Add `file = "keys/deployer.json"` under [signer]; `ship signer new --out FILE` makes one.',
        )
    if name.startswith("env:"):
        variable = name.removeprefix("env:")
        name = os.environ.get(variable, "")
        if not name:
            raise context.unavailable(
                f"the environment variable {variable} is not set", "file", "Set it to the keystore's path."
            )
    path = Path(name).expanduser()
    return path if path.is_absolute() else context.root / path


def evm_address(context: SignerContext) -> str:
    """What the keyfile states, else what the target pins; the key is not opened."""
    path = keystore_path(context)
    stated = keystore_address(path) or context.spec.address
    if stated is None:
        raise SignerUnavailable(
            "the keyfile states no address and the target pins none",
            where=Where(str(path)),
            remedy="Set `address` under [signer].",
        )
    return stated


def open_evm(context: SignerContext) -> LocalKey:
    path = keystore_path(context)
    return open_keystore(path, context.ask(f"password of the keystore {path.name}", "password"))


def ed25519_public_key(context: SignerContext) -> bytes:
    """What the keyfile states; the key is not opened."""
    from solders.pubkey import Pubkey

    path = keystore_path(context)
    try:
        return bytes(Pubkey.from_string(keystore_public_key(path)))
    except ValueError:
        raise KeystoreInvalid(
            "the keyfile's publicKey is none", where=Where(str(path)), remedy="Restore it from a backup."
        ) from None


def open_ed25519(context: SignerContext) -> LocalEd25519:
    path = keystore_path(context)
    return open_solana_keystore(path, context.ask(f"password of the keystore {path.name}", "password"))


def notes(context: SignerContext) -> tuple[str, ...]:
    return (IN_MEMORY,)
