"""Signatures as other tools write them: raw transactions of ``cast mktx``, one a line, and Solana's ``PUBKEY=SIGNATURE`` lines.

Sources: Foundry book, ``cast mktx`` and ``cast publish``; Solana documentation, "Offline Transaction Signing", where
``--sign-only`` prints what ``--signer PUBKEY=SIGNATURE`` takes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from chains.evm.transaction import decode_signed

__all__ = ["cast_lines", "read_cast_lines", "read_solana_lines", "solana_lines"]

_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_LINE = re.compile(rf"([{_BASE58}]{{32,44}})=([{_BASE58}]{{64,88}})")


def cast_lines(transactions: Iterable[bytes]) -> str:
    """Each ready for ``cast publish``."""
    return "".join(f"0x{raw.hex()}\n" for raw in transactions)


def read_cast_lines(text: str) -> tuple[bytes, ...]:
    """The signed transactions. Raises ``ValueError`` naming the line that holds none."""
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            raw = bytes.fromhex(line.strip().removeprefix("0x"))
            decode_signed(raw)
        except ValueError as error:
            raise ValueError(f"line {number} is not a raw signed transaction: {error}") from error
        found.append(raw)
    if not found:
        raise ValueError("it holds no raw transaction")
    return tuple(found)


def solana_lines(signatures: Mapping[bytes, bytes]) -> str:
    """``PUBKEY=SIGNATURE`` for every public key (32 bytes) and its signature (64 bytes), in base58."""
    from solders.pubkey import Pubkey
    from solders.signature import Signature

    return "".join(f"{Pubkey(key)}={Signature(signature)}\n" for key, signature in signatures.items())


def read_solana_lines(text: str, message: bytes) -> dict[bytes, bytes]:
    """Signature by public key, each verified over ``message``. Raises ``ValueError`` naming the line that is wrong.

    Other lines around them, as ``solana … --sign-only`` prints, are passed over.
    """
    from solders.pubkey import Pubkey
    from solders.signature import Signature

    found: dict[bytes, bytes] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        match = _LINE.fullmatch(line.strip())
        if match is None:
            if "=" in line and " " not in line.strip():
                raise ValueError(f"line {number} is not PUBKEY=SIGNATURE in base58")
            continue
        key, signature = Pubkey.from_string(match[1]), Signature.from_string(match[2])
        if not signature.verify(key, message):
            raise ValueError(f"line {number}: the signature is not {key}'s over this message")
        if found.setdefault(bytes(key), bytes(signature)) != bytes(signature):
            raise ValueError(f"line {number}: another signature of {key} stands before it")
    if not found:
        raise ValueError("it holds no PUBKEY=SIGNATURE line")
    return found
