"""Signatures as a Safe checks them: four kinds, packed in the order of their owners.

Source: safe-smart-account v1.4.1, ``Safe.checkNSignatures``. 65 bytes each, ``r ‖ s ‖ v``:

    v = 27, 28   ECDSA over the safeTxHash (EIP-712)
    v = 31, 32   ECDSA over the hash as a personal message (eth_sign)
    v = 1        r is an owner that approved the hash on chain, or that sends the transaction itself
    v = 0        r is an owner that is a contract (EIP-1271), s the offset of its signature behind the fixed part
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from chains.evm.address import address_bytes, checksum, keccak256

__all__ = ["OwnerSignature", "approved", "by_contract", "from_bytes", "pack", "recover"]

Kind = Literal["eip712", "eth_sign", "approved", "contract"]
_PERSONAL = b"\x19Ethereum Signed Message:\n32"


@dataclass(frozen=True)
class OwnerSignature:
    """One owner's signature. ``data`` holds 65 bytes; for a contract the dynamic part alone."""

    owner: str
    kind: Kind
    data: bytes

    def alone(self) -> bytes:
        """By itself, as ``from_bytes`` reads it again: a contract's dynamic part right behind its 65 bytes."""
        return pack([self])


def recover(digest: bytes, r: int, s: int, parity: int) -> str:
    """The address whose key made an ECDSA signature. Raises ``ValueError``."""
    from coincurve import PublicKey

    try:
        raw = r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([parity])
        key = PublicKey.from_signature_and_message(raw, digest, hasher=None)
    except Exception as error:
        raise ValueError("not a signature over this hash") from error
    return checksum(keccak256(key.format(compressed=False)[1:])[12:])


def from_bytes(safe_tx_hash: bytes, data: bytes) -> OwnerSignature:
    """What a signature that stands by itself says about ``safe_tx_hash``: 65 bytes, for a contract its dynamic part behind
    them, as Safe's tools write it. Raises ``ValueError``. What a contract's is worth only the contract can say.
    """
    if len(data) >= 65 and data[64] == 0:
        return _of_contract(data)
    if len(data) != 65:
        raise ValueError(f"a signature has 65 bytes, not {len(data)}")
    r, s, v = int.from_bytes(data[:32], "big"), int.from_bytes(data[32:64], "big"), data[64]
    if v == 1:
        return OwnerSignature(checksum(data[12:32]), "approved", data)
    if v in {27, 28}:
        return OwnerSignature(recover(safe_tx_hash, r, s, v - 27), "eip712", data)
    if v in {31, 32}:
        return OwnerSignature(recover(keccak256(_PERSONAL + safe_tx_hash), r, s, v - 31), "eth_sign", data)
    raise ValueError(f"a signature of an unknown kind (v = {v})")


def _of_contract(data: bytes) -> OwnerSignature:
    owner, offset, length, dynamic = data[:32], data[32:64], data[65:97], data[97:]
    if any(owner[:12]) or int.from_bytes(offset, "big") != 65:
        raise ValueError("a contract's signature that does not stand by itself: its offset has to be 65")
    if len(length) != 32 or int.from_bytes(length, "big") != len(dynamic):
        raise ValueError("a contract's signature of another length than it says")
    return by_contract(checksum(owner[12:]), dynamic)


def approved(owner: str) -> OwnerSignature:
    """For an owner that approved the hash on chain, or that is itself the sender of ``execTransaction``."""
    return OwnerSignature(checksum(owner), "approved", address_bytes(owner).rjust(32, b"\0") + bytes(32) + b"\x01")


def by_contract(owner: str, data: bytes) -> OwnerSignature:
    """For an owner that is a contract: ``data`` is what its ``isValidSignature`` is given."""
    return OwnerSignature(checksum(owner), "contract", data)


def pack(signatures: Iterable[OwnerSignature]) -> bytes:
    """All signatures in one: ascending by owner, contracts' dynamic parts behind. Raises ``ValueError`` on a duplicate."""
    ordered = sorted(signatures, key=lambda s: int(s.owner, 16))
    if len({s.owner for s in ordered}) != len(ordered):
        raise ValueError("two signatures of one owner")
    fixed, dynamic = b"", b""
    for signature in ordered:
        if signature.kind != "contract":
            fixed += signature.data
            continue
        offset = 65 * len(ordered) + len(dynamic)
        fixed += address_bytes(signature.owner).rjust(32, b"\0") + offset.to_bytes(32, "big") + b"\0"
        dynamic += len(signature.data).to_bytes(32, "big") + signature.data
    return fixed + dynamic
