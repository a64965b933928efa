"""The one path every signature takes (design §8, law 2).

    policy → the bytes decoded and held against the plan → backend → range → low-s → recovery to the pinned address

A backend that signs digests only ever sees the 32-byte digest this module computed from the transaction it just checked.
One that takes whole transactions (a remote signer, another machine) gives one back, and what it gives back is decoded
and must be the very transaction that was asked for.
"""

from __future__ import annotations

from typing import Literal, Protocol, runtime_checkable

from chains.errors import Refused
from chains.evm.actions import Action
from chains.evm.address import checksum, keccak256
from chains.evm.transaction import SignedTransaction, UnsignedTransaction, decode_signed

__all__ = [
    "Assurance",
    "DigestBackend",
    "EvmBackend",
    "EvmSigner",
    "MessageBackend",
    "PolicyRefused",
    "SignatureRejected",
    "TransactionBackend",
    "TransactionPolicy",
    "checked_signature",
]

SECP256K1_N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
"""Order of the secp256k1 group (SEC 2, version 2, §2.4.1)."""

Assurance = Literal["software", "service", "hardware"]
"""What keeps the key: a process of this machine; a service that does not give it out; a hardware module."""


class PolicyRefused(Refused):
    """SHIP-S01: the policy does not allow this signature."""

    code = "SHIP-S01"


class SignatureRejected(Refused):
    """SHIP-S02: what the backend returned is not a signature by the pinned key."""

    code = "SHIP-S02"


class _Backend(Protocol):
    """``name`` is the backend's, as in manifests; ``assurance`` what its key is kept by."""

    @property
    def name(self) -> str: ...

    @property
    def assurance(self) -> Assurance: ...


@runtime_checkable
class DigestBackend(_Backend, Protocol):
    """A secp256k1 key that signs digests: ``(r, s)`` as the service gave them. ``address`` is that of its key.

    Raises a ``Refused`` (wrong key, no right) or a ``Resumable`` (no answer: nothing was signed that counts).
    """

    @property
    def address(self) -> str: ...

    def sign_digest(self, digest: bytes) -> tuple[int, int]: ...


@runtime_checkable
class TransactionBackend(_Backend, Protocol):
    """Signs whole transactions and only those: gives the raw signed transaction. Raises as ``DigestBackend``."""

    @property
    def address(self) -> str: ...

    def sign_transaction(self, unsigned: UnsignedTransaction) -> bytes: ...


EvmBackend = DigestBackend | TransactionBackend


class MessageBackend(_Backend, Protocol):
    """An ed25519 key that signs messages (RFC 8032): 64 bytes. ``public_key`` is its 32 bytes. Raises as above."""

    @property
    def public_key(self) -> bytes: ...

    def sign_message(self, message: bytes) -> bytes: ...


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
        if isinstance(self._backend, DigestBackend):
            r, s, parity = checked_signature(self._backend, unsigned.signing_hash())
        else:
            r, s, parity = self._whole(self._backend, unsigned)
        signed = unsigned.with_signature(r, s, parity)
        decoded, signature = decode_signed(signed.raw)
        if decoded.payload() != unsigned.payload() or signature[:2] != (r, s):
            raise _rejected(self._backend, "the encoded transaction does not decode to what was signed")
        return signed

    @staticmethod
    def _whole(backend: TransactionBackend, unsigned: UnsignedTransaction) -> tuple[int, int, int]:
        raw = backend.sign_transaction(unsigned)
        try:
            decoded, (r, s, _) = decode_signed(raw)
        except ValueError as error:
            raise _rejected(backend, f"it is not a signed transaction ({error})") from error
        if decoded.signing_hash() != unsigned.signing_hash():
            raise _rejected(backend, "it signed another transaction than it was asked to")
        return _checked(backend, unsigned.signing_hash(), r, s)


def checked_signature(backend: DigestBackend, digest: bytes) -> tuple[int, int, int]:
    """``(r, s, y parity)`` over a digest that ``pipeline.signing`` computed itself from something it has checked.

    Raises ``SignatureRejected``. The order matters: range, low-s, then recovery to the backend's own address.
    """
    r, s = backend.sign_digest(digest)
    return _checked(backend, digest, r, s)


def _checked(backend: EvmBackend, digest: bytes, r: int, s: int) -> tuple[int, int, int]:
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
