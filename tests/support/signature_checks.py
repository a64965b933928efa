"""What every signature of the shared path must be, judged by libsecp256k1 and not by the code under test."""

from __future__ import annotations

from coincurve import PublicKey

from chains.evm.address import checksum, keccak256

__all__ = ["HALF_N", "N", "check_signature"]

N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
HALF_N = N // 2


def check_signature(address: str, digest: bytes, signature: tuple[int, int, int]) -> None:
    """``(r, s, y parity)`` is in range, low, and recovers to ``address`` over exactly ``digest``."""
    r, s, parity = signature
    assert 0 < r < N
    assert 0 < s <= HALF_N, "s is high"
    encoded = r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([parity])
    key = PublicKey.from_signature_and_message(encoded, digest, hasher=None)
    assert checksum(keccak256(key.format(compressed=False)[1:])[12:]) == address
