"""Base58 as Bitcoin and Solana write it."""

from __future__ import annotations

__all__ = ["b58decode", "b58encode"]

_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_VALUES = {letter: value for value, letter in enumerate(_ALPHABET)}


def b58encode(data: bytes) -> str:
    number, letters = int.from_bytes(data, "big"), []
    while number:
        number, rest = divmod(number, 58)
        letters.append(_ALPHABET[rest])
    zeros = len(data) - len(data.lstrip(b"\0"))
    return "1" * zeros + "".join(reversed(letters))


def b58decode(text: str) -> bytes:
    """Raises ``ValueError`` for a letter that is none."""
    number = 0
    for letter in text:
        if letter not in _VALUES:
            raise ValueError(f"{letter!r} is no base58 letter")
        number = number * 58 + _VALUES[letter]
    zeros = len(text) - len(text.lstrip("1"))
    return b"\0" * zeros + number.to_bytes(-(-number.bit_length() // 8), "big")
