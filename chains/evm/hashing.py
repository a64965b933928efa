"""Keccak-256 and the checksum of addresses, without anything that is slow to import."""

from __future__ import annotations

from Crypto.Hash import keccak as _keccak

__all__ = ["checksum", "keccak256"]


def keccak256(data: bytes) -> bytes:
    """keccak-256 (the pre-standard padding, as Ethereum uses it)."""
    return _keccak.new(digest_bits=256, data=data).digest()


def checksum(address: bytes | str) -> str:
    """The EIP-55 form of a 20-byte address."""
    raw = address if isinstance(address, bytes) else bytes.fromhex(address.removeprefix("0x"))
    if len(raw) != 20:
        raise ValueError(f"an address has 20 bytes, not {len(raw)}")
    digits = raw.hex()
    weights = keccak256(digits.encode()).hex()
    return "0x" + "".join(d.upper() if int(w, 16) >= 8 else d for d, w in zip(digits, weights, strict=False))
