"""Keys from the words of a wallet: BIP-39 to a seed, then BIP-44 (Ethereum) or SLIP-0010 (Solana)."""

from __future__ import annotations

import hashlib
import hmac
import unicodedata

__all__ = ["MAX_INDEX", "WrongWords", "ethereum_key", "slip10_ed25519", "solana_seed"]

_HARDENED = 1 << 31
MAX_INDEX = _HARDENED - 1


class WrongWords(ValueError):
    """Not a key that can be read. Says nothing of what was given."""


def ethereum_key(words: str, passphrase: str, index: int) -> bytes:
    """The private key at m/44'/60'/0'/0/``index``. Raises ``WrongWords``."""
    from eth_account.hdaccount import key_from_seed

    return bytes(key_from_seed(_seed(words, passphrase), f"m/44'/60'/0'/0/{_checked(index)}"))


def solana_seed(words: str, passphrase: str, index: int) -> bytes:
    """The ed25519 seed at m/44'/501'/``index``'/0', as Solana's wallets and ``solana-keygen`` derive it."""
    return slip10_ed25519(_seed(words, passphrase), (44, 501, _checked(index), 0))


def slip10_ed25519(seed: bytes, path: tuple[int, ...]) -> bytes:
    """The private key at ``path``, every part hardened: ed25519 has no others (SLIP-0010)."""
    node = hmac.digest(b"ed25519 seed", seed, hashlib.sha512)
    for part in path:
        data = b"\0" + node[:32] + (part + _HARDENED).to_bytes(4, "big")
        node = hmac.digest(node[32:], data, hashlib.sha512)
    return node[:32]


def _seed(words: str, passphrase: str) -> bytes:
    from eth_account.hdaccount import seed_from_mnemonic
    from eth_utils.exceptions import ValidationError

    plain = " ".join(unicodedata.normalize("NFKD", words).split())
    try:
        return bytes(seed_from_mnemonic(plain, unicodedata.normalize("NFKD", passphrase)))
    except (ValidationError, ValueError):  # both hold the words
        raise WrongWords(f"{len(plain.split())} words that are not a BIP-39 mnemonic") from None


def _checked(index: int) -> int:
    if not 0 <= index <= MAX_INDEX:
        raise WrongWords(f"the index is outside 0 to {MAX_INDEX}")
    return index
