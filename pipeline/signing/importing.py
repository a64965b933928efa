"""Keys from elsewhere, for ``ship signer import``: a wallet's words, a ``solana-keygen`` file, a hex private key.

What is read is a secret from the first byte on: never an argument, in no message, and known to the redactor.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Literal

from chains.errors import Refused
from pipeline.manifest.secrets import register_secret
from pipeline.signing.base import SECP256K1_N
from pipeline.signing.mnemonic import WrongWords, ethereum_key, solana_seed
from pipeline.signing.password import PasswordOptions

__all__ = ["FORMS", "Form", "KeyNotReadable", "Source"]

Form = Literal["mnemonic", "solana-keygen", "hex"]
FORMS: tuple[Form, ...] = ("mnemonic", "solana-keygen", "hex")
_WHAT = {
    "mnemonic": "mnemonic",
    "solana-keygen": "content of the solana-keygen file",
    "hex": "private key in hex",
}


class KeyNotReadable(Refused):
    """SHIP-S15: what was given to import is not a key of that form."""

    code = "SHIP-S15"


@dataclass(frozen=True)
class Source:
    """Where the key is read from, and how. ``index`` is the account's place in a mnemonic."""

    form: Form
    given: PasswordOptions
    solana: bool
    index: int = 0
    passphrase: PasswordOptions | None = None

    def key(self) -> bytes:
        """32 bytes. Raises ``KeyNotReadable`` and ``PasswordUnavailable``."""
        text = self.given(_WHAT[self.form])
        try:
            key = self._key(text.strip())
        except ValueError as error:
            raise KeyNotReadable(
                f"this is not {_WHAT[self.form]}: {error}",
                remedy="Check the file and --from. It is read as one line; nothing was written.",
            ) from None
        register_secret(key.hex())
        return key

    def _key(self, text: str) -> bytes:
        if self.form == "mnemonic":
            passphrase = self.passphrase("passphrase of the mnemonic") if self.passphrase else ""
            return (solana_seed if self.solana else ethereum_key)(text, passphrase, self.index)
        if self.form == "solana-keygen":
            return _solana_keygen(text)
        if not re.fullmatch(r"(0x)?[0-9a-fA-F]{64}", text):
            raise WrongWords("64 hex digits are expected")
        key = bytes.fromhex(text.removeprefix("0x"))
        if not self.solana and not 0 < int.from_bytes(key, "big") < SECP256K1_N:
            raise WrongWords("its number is out of range")
        return key


def _solana_keygen(text: str) -> bytes:
    """64 numbers: the seed and its public key, which have to belong together."""
    from solders.keypair import Keypair

    try:
        numbers = json.loads(text)
    except (ValueError, RecursionError):
        numbers = None
    if (
        not isinstance(numbers, list)
        or len(numbers) != 64
        or not all(type(number) is int and 0 <= number < 256 for number in numbers)
    ):
        raise WrongWords("64 numbers of a byte each are expected")
    raw = bytes(numbers)
    if bytes(Keypair.from_seed(raw[:32]).pubkey()) != raw[32:]:
        raise WrongWords("its two halves do not belong together")
    return raw[:32]
