"""Opens Ethereum keyfiles (Web3 Secret Storage, version 3): scrypt or PBKDF2, AES-128-CTR, a keccak-256 MAC.

A reader of our own, because importing the library's loads BLS pairings: 0.3 s, and a recursion limit of 100,000 for the
whole process. Keyfiles are still made by the library, and the tests hold this reader to it. Source: ethereum.org, "Web3 Secret Storage Definition".
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

from chains.evm.address import keccak256

__all__ = ["MAX_MEMORY_BYTES", "KeyfileMalformed", "WrongPassword", "decrypt_keyfile"]

MAX_MEMORY_BYTES = 1 << 30
"""What scrypt may use: a file that asks for more is refused. The usual n = 2**18, r = 8 takes 256 MiB."""

_MAX_ITERATIONS = 50_000_000


class KeyfileMalformed(ValueError):
    """The file is not a keyfile this reader knows; the text says what is wrong with it."""


class WrongPassword(ValueError):
    """The MAC does not match: another password, or a damaged file."""


def decrypt_keyfile(data: Mapping[str, Any], password: str) -> bytes:
    """The secret a keyfile holds, 32 bytes for a private key. Raises ``KeyfileMalformed`` or ``WrongPassword``."""
    crypto = _table(data, "crypto")
    if crypto.get("cipher") != "aes-128-ctr":
        raise KeyfileMalformed("its cipher is not aes-128-ctr")
    sealed = _bytes(crypto, "ciphertext")
    derived = _derived(crypto, password.encode())
    if not hmac.compare_digest(keccak256(derived[16:32] + sealed), _bytes(crypto, "mac")):
        raise WrongPassword("the MAC does not match")
    return _aes_128_ctr(derived[:16], _bytes(_table(crypto, "cipherparams"), "iv"), sealed)


def _derived(crypto: Mapping[str, Any], password: bytes) -> bytes:
    parameters = _table(crypto, "kdfparams")
    salt, length = _bytes(parameters, "salt"), _number(parameters, "dklen", 1_024)
    if length < 32:
        raise KeyfileMalformed("dklen is below 32")
    match crypto.get("kdf"):
        case "scrypt":
            n, r, p = (_number(parameters, name, 1 << 30) for name in ("n", "r", "p"))
            if 128 * n * r * p > MAX_MEMORY_BYTES:
                raise KeyfileMalformed(f"its scrypt parameters need more than {MAX_MEMORY_BYTES >> 20} MiB")
            if n < 2 or n & (n - 1):
                raise KeyfileMalformed("its scrypt n is not a power of two")
            return _scrypt(password, salt, n, r, p, length)
        case "pbkdf2":
            if parameters.get("prf") != "hmac-sha256":
                raise KeyfileMalformed("its prf is not hmac-sha256")
            return hashlib.pbkdf2_hmac("sha256", password, salt, _number(parameters, "c", _MAX_ITERATIONS), length)
        case _:
            raise KeyfileMalformed("its kdf is neither scrypt nor pbkdf2")


def _scrypt(password: bytes, salt: bytes, n: int, r: int, p: int, length: int) -> bytes:
    if n >> (16 * r) == 0:
        room = 128 * r * (n + p + 2) + (1 << 20)
        return hashlib.scrypt(password, salt=salt, n=n, r=r, p=p, dklen=length, maxmem=room)
    # RFC 7914 wants n < 2**(16 r) and OpenSSL insists; early wallets wrote r = 1 with n = 2**18.
    from Crypto.Protocol.KDF import scrypt

    return bytes(scrypt(password, salt, length, N=n, r=r, p=p))  # type: ignore[arg-type]


def _aes_128_ctr(key: bytes, iv: bytes, sealed: bytes) -> bytes:
    from Crypto.Cipher import AES

    if len(iv) != 16:
        raise KeyfileMalformed("its iv is not 16 bytes long")
    return AES.new(key, AES.MODE_CTR, nonce=b"", initial_value=iv).decrypt(sealed)


def _table(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = data.get(name)
    if not isinstance(value, Mapping):
        raise KeyfileMalformed(f"`{name}` is missing")
    return value


def _bytes(data: Mapping[str, Any], name: str) -> bytes:
    value = data.get(name)
    if not isinstance(value, str):
        raise KeyfileMalformed(f"`{name}` is missing")
    try:
        return bytes.fromhex(value.removeprefix("0x"))
    except ValueError:
        raise KeyfileMalformed(f"`{name}` is not hex") from None


def _number(data: Mapping[str, Any], name: str, most: int) -> int:
    value = data.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise KeyfileMalformed(f"`{name}` is missing")
    if not 0 < value <= most:
        raise KeyfileMalformed(f"`{name}` is out of range")
    return value
