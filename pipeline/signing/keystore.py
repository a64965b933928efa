"""The software keystore: an Ethereum keyfile (version 3, scrypt), decrypted once per run.

The one backend with a private key in ``ship``'s memory. For production keys use a KMS or an HSM.

A Solana key is kept in the same form: ``crypto`` holds the 32-byte seed, and ``publicKey`` (base58) stands in place of
``address``. A file of one kind is refused where the other is needed.
"""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import Any

from chains.errors import Refused, Where
from chains.evm.address import checksum, keccak256
from chains.files import fsync_folder
from pipeline.signing.base import Assurance
from pipeline.signing.ed25519 import LocalEd25519
from pipeline.signing.keyfile import KeyfileMalformed, WrongPassword, decrypt_keyfile

__all__ = [
    "KeystoreInvalid",
    "KeystoreWrongPassword",
    "LocalKey",
    "create_keystore",
    "keystore_address",
    "keystore_public_key",
    "open_keystore",
    "open_solana_keystore",
]

_MAX_BYTES = 64 * 1024
_HOW = "Point `file` under [signer] at a keyfile, or make one: `ship signer new --out FILE`."


class KeystoreInvalid(Refused):
    """SHIP-S10: the file is not a version 3 keyfile."""

    code = "SHIP-S10"


class KeystoreWrongPassword(Refused):
    """SHIP-S11: the password does not open the keystore."""

    code = "SHIP-S11"


class LocalKey:
    """A private key in memory. Never shown, never written; ``repr`` gives the address."""

    def __init__(self, private_key: bytes, name: str) -> None:
        from eth_keys.main import KeyAPI

        self._key = KeyAPI.PrivateKey(private_key)
        self.name = name
        self.assurance: Assurance = "software"
        self.address = checksum(keccak256(self._key.public_key.to_bytes())[12:])

    def __repr__(self) -> str:
        return f"LocalKey({self.address})"

    def sign_digest(self, digest: bytes) -> tuple[int, int]:
        """RFC 6979: the same digest gives the same signature."""
        signature = self._key.sign_msg_hash(digest)
        return signature.r, signature.s


def _read(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ValueError("larger than any keyfile")
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["version"] != 3 or "crypto" not in data:
            raise ValueError("not version 3")
    except OSError as error:
        raise KeystoreInvalid(
            f"the keystore cannot be read: {error.strerror}", where=Where(str(path)), remedy=_HOW
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise KeystoreInvalid(
            f"not an Ethereum keyfile (version 3): {error}", where=Where(str(path)), remedy=_HOW
        ) from error
    return dict(data)


def _read_kind(path: Path, *, solana: bool) -> dict[str, Any]:
    data = _read(path)
    if ("publicKey" in data) != solana:
        raise KeystoreInvalid(
            f"this keyfile holds {'an Ethereum' if solana else 'a Solana'} key, "
            f"and {'a Solana' if solana else 'an Ethereum'} one is needed",
            where=Where(str(path)),
            remedy=f"Name another file, or make one: `ship signer new --kind {'ed25519' if solana else 'secp256k1'}`.",
        )
    return data


def keystore_public_key(path: Path) -> str:
    """The public key a Solana keyfile states, in base58, without its password (it is checked when the key is opened)."""
    return str(_read_kind(path, solana=True)["publicKey"])


def keystore_address(path: Path) -> str | None:
    """The address the keyfile states, without its password (it is checked when the key is opened)."""
    address = _read_kind(path, solana=False).get("address")
    try:
        return checksum(str(address)) if address else None
    except ValueError:
        return None


def open_keystore(path: Path, password: str) -> LocalKey:
    """Decrypt. Raises ``KeystoreInvalid`` or ``KeystoreWrongPassword``; a wrong password is not tried again."""
    return LocalKey(_decrypted(path, _read_kind(path, solana=False), password), "keystore")


def open_solana_keystore(path: Path, password: str) -> LocalEd25519:
    """As ``open_keystore``, for a Solana keyfile; the key has to be the one the file states."""
    from solders.pubkey import Pubkey

    data = _read_kind(path, solana=True)
    key = LocalEd25519(_decrypted(path, data, password), "keystore")
    if str(Pubkey(key.public_key)) != data["publicKey"]:
        raise KeystoreInvalid(
            "the keyfile holds another key than it states", where=Where(str(path)), remedy="Restore it from a backup."
        )
    return key


def _decrypted(path: Path, data: dict[str, Any], password: str) -> bytes:
    try:
        key = decrypt_keyfile(data, password)
    except WrongPassword as error:
        raise KeystoreWrongPassword(
            "the password does not open this keystore",
            where=Where(str(path)),
            remedy="Give the right password at the prompt, with --password-file, or with --password-fd.",
        ) from error
    except KeyfileMalformed as error:
        raise KeystoreInvalid(
            f"the keyfile cannot be used: {error}", where=Where(str(path)), remedy="Restore it from a backup."
        ) from error
    if len(key) != 32:
        raise KeystoreInvalid(
            f"the keyfile holds {len(key)} bytes, a key has 32",
            where=Where(str(path)),
            remedy="Restore it from a backup.",
        )
    return key


def create_keystore(path: Path, password: str, key: bytes | None = None, *, solana: bool = False) -> str:
    """``key`` (32 bytes), else a new random one, encrypted with scrypt (n = 2**18), readable by its owner only.

    Gives the address, or the public key in base58.
    """
    from eth_keyfile.keyfile import create_keyfile_json

    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise KeystoreInvalid(
            f"a new keystore cannot be written here: {error.strerror}",
            where=Where(str(path)),
            remedy="Choose another name; an existing key is never overwritten.",
        ) from error
    with os.fdopen(descriptor, "wb") as file:
        key = key or secrets.token_bytes(32)
        data = create_keyfile_json(key, password.encode(), kdf="scrypt")
        if solana:
            from solders.keypair import Keypair

            del data["address"]
            data = {"publicKey": str(Keypair.from_seed(key).pubkey()), **data}
        file.write(json.dumps(data, indent=2).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    fsync_folder(path.parent)
    return str(data["publicKey"]) if solana else checksum(data["address"])
