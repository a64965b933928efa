"""Addresses: checksums (EIP-55) and where contracts come to lie (CREATE, CREATE2 of EIP-1014)."""

from __future__ import annotations

from chains.evm.hashing import checksum, keccak256

__all__ = ["CREATE2_FACTORY", "address_bytes", "checksum", "create2_address", "create_address", "keccak256"]

CREATE2_FACTORY = "0x4e59b44847b379578588920cA78FbF26c0B4956C"
"""The deterministic deployment proxy: calldata is salt ++ init code, it returns the 20 address bytes."""


def address_bytes(address: str) -> bytes:
    """The 20 bytes of a 0x address."""
    raw = bytes.fromhex(address.removeprefix("0x"))
    if len(raw) != 20:
        raise ValueError(f"an address has 20 bytes, not {len(raw)}")
    return raw


def create_address(sender: str, nonce: int) -> str:
    """Where a CREATE by ``sender`` with ``nonce`` puts its contract: keccak256(rlp([sender, nonce]))[12:]."""
    import rlp  # not for those who only want to know what an address is: it is slow to load

    return checksum(keccak256(rlp.encode([address_bytes(sender), nonce]))[12:])


def create2_address(factory: str, salt: bytes, init_code: bytes) -> str:
    """keccak256(0xff ++ factory ++ salt ++ keccak256(init code))[12:], EIP-1014."""
    if len(salt) != 32:
        raise ValueError(f"a salt has 32 bytes, not {len(salt)}")
    return checksum(keccak256(b"\xff" + address_bytes(factory) + salt + keccak256(init_code))[12:])
