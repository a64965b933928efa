"""The one path every signature takes (design §8, law 2).

    policy → the bytes decoded and held against the plan → backend → range → low-s → recovery to the pinned address

A backend only ever sees the 32-byte digest this module computed from the transaction it just checked.
"""

from __future__ import annotations

from typing import Protocol

from chains.errors import Refused
from chains.evm.actions import Action
from chains.evm.address import checksum, keccak256
from chains.evm.transaction import SignedTransaction, UnsignedTransaction, decode_signed

__all__ = ["EvmBackend", "EvmSigner", "PolicyRefused", "SignatureRejected", "TransactionPolicy", "checked_signature"]

SECP256K1_N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
"""Order of the secp256k1 group (SEC 2, version 2, §2.4.1)."""


class PolicyRefused(Refused):
    """SHIP-S01: the policy does not allow this signature."""

    code = "SHIP-S01"


class SignatureRejected(Refused):
    """SHIP-S02: what the backend returned is not a signature by the pinned key."""

    code = "SHIP-S02"


class EvmBackend(Protocol):
    """A key that signs digests. ``name`` is the backend's, as in manifests; ``address`` that of its key."""

    @property
    def name(self) -> str: ...

    @property
    def address(self) -> str: ...

    def sign_digest(self, digest: bytes) -> tuple[int, int]: ...


class TransactionPolicy(Protocol):
    """Raises ``PolicyRefused`` unless the transaction is allowed; called before any backend."""

    def allow(self, unsigned: UnsignedTransaction, action: Action) -> None: ...


class EvmSigner:
    """Signs planned transactions with one backend.

    Raises ``PolicyRefused`` before and ``SignatureRejected`` after the backend was asked.
    """

    def __init__(self, backend: EvmBackend, policy: TransactionPolicy) -> None:
        self._backend = backend
        self._policy = policy

    @property
    def address(self) -> str:
        return self._backend.address

    def sign(self, unsigned: UnsignedTransaction, action: Action) -> SignedTransaction:
        self._policy.allow(unsigned, action)
        r, s, parity = checked_signature(self._backend, unsigned.signing_hash())
        signed = unsigned.with_signature(r, s, parity)
        decoded, signature = decode_signed(signed.raw)
        if decoded.payload() != unsigned.payload() or signature[:2] != (r, s):
            raise _rejected(self._backend, "the encoded transaction does not decode to what was signed")
        return signed


def checked_signature(backend: EvmBackend, digest: bytes) -> tuple[int, int, int]:
    """``(r, s, y parity)`` over a digest that ``pipeline.signing`` computed itself from something it has checked.

    Raises ``SignatureRejected``. The order matters: range, low-s, then recovery to the backend's own address.
    """
    r, s = backend.sign_digest(digest)
    if not (0 < r < SECP256K1_N and 0 < s < SECP256K1_N):
        raise _rejected(backend, "its numbers are out of range")
    s = min(s, SECP256K1_N - s)
    return r, s, _parity(backend, digest, r, s)


def _parity(backend: EvmBackend, digest: bytes, r: int, s: int) -> int:
    from eth_keys.exceptions import BadSignature
    from eth_keys.main import KeyAPI
    from eth_utils.exceptions import ValidationError

    for parity in (0, 1):
        try:
            key = KeyAPI().ecdsa_recover(digest, KeyAPI.Signature(vrs=(parity, r, s)))
        except (BadSignature, ValidationError):
            continue
        if checksum(keccak256(key.to_bytes())[12:]).lower() == backend.address.lower():
            return parity
    raise _rejected(backend, f"it was not made by {backend.address}")


def _rejected(backend: EvmBackend, why: str) -> SignatureRejected:
    return SignatureRejected(
        f"the {backend.name} backend returned a signature that is refused: {why}",
        remedy="Check that the target's signer names the right key. `ship signer address` shows the one in use.",
    )
