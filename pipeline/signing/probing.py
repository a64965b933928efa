"""A signature that shows a key works, and can be nothing else.

A key that signs digests gets an EIP-712 message of a domain of our own. ``0x19 0x01`` starts no transaction of any type,
and no contract knows the domain.

A backend that signs transactions only gets one that no chain can take, for three reasons each of which is enough: its
gas limit of 1 is below what any transaction costs, its highest fee is 0, and its nonce, 2^64 - 2, is out of any account's
reach (EIP-2681). It sends nothing to the signer itself, so that it would do nothing even then. It has the target's own
chain id: signers refuse others, and one that exists nowhere today may exist tomorrow.

On Solana the key signs an off-chain message: its first byte, 0xff, stands in no transaction, whose messages begin with a count of
signatures below 128 or, versioned, with 0x80 and a version. Source: Solana, "Off-Chain Message Signing", version 0.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime

from chains.errors import Refused
from chains.evm.actions import Action
from chains.evm.transaction import Fees, UnsignedTransaction
from pipeline.signing.base import (
    Assurance,
    DigestBackend,
    EvmBackend,
    EvmSigner,
    MessageBackend,
    PolicyRefused,
    TransactionBackend,
)
from pipeline.signing.probe_message import ProbeMessage
from pipeline.signing.typed import typed_signature

__all__ = ["CannotProbe", "Probe", "off_chain_message", "probe", "probe_message", "probe_transaction"]

_NONCE = 2**64 - 2


class CannotProbe(Refused):
    """SHIP-O10: the key cannot be asked from here."""

    code = "SHIP-O10"


@dataclass(frozen=True)
class Probe:
    """What was shown: ``kind`` is what was signed, ``ms`` how long one signature took (the median), in milliseconds."""

    backend: str
    address: str
    assurance: Assurance
    kind: str
    signatures: int
    ms: float


def probe(backend: EvmBackend, target: str, chain_id: int, count: int = 1) -> Probe:
    """Sign ``count`` times, each recovered to the backend's address. Raises ``CannotProbe``, ``SignatureRejected``."""
    if backend.name == "offline":
        raise CannotProbe(
            f"the key of {target} is on another machine",
            remedy="`ship sign sign` there says whose key it has. A small release to a test chain proves the whole way.",
        )
    times_ms = []
    for number in range(count):
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        began_s = time.perf_counter()
        if isinstance(backend, DigestBackend):
            typed_signature(backend, ProbeMessage(target, now, number, chain_id))
        else:
            _whole(backend, chain_id)
        times_ms.append((time.perf_counter() - began_s) * 1000)
    kind = "typed data" if isinstance(backend, DigestBackend) else "a transaction no chain can take"
    middle_ms = sorted(times_ms)[len(times_ms) // 2]
    return Probe(backend.name, backend.address, backend.assurance, kind, count, round(middle_ms, 1))


def probe_message(backend: MessageBackend, target: str, count: int = 1) -> Probe:
    """The same for an ed25519 key, each signature verified by whoever opened ``backend``. Raises ``SignatureRejected``."""
    from solders.pubkey import Pubkey

    times_ms = []
    for number in range(count):
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        text = f"ship signer test: {target}, {now}, {number}. This moves nothing and allows nothing.".encode()
        began_s = time.perf_counter()
        backend.sign_message(off_chain_message(text))
        times_ms.append((time.perf_counter() - began_s) * 1000)
    address, middle_ms = str(Pubkey(backend.public_key)), sorted(times_ms)[len(times_ms) // 2]
    return Probe(backend.name, address, backend.assurance, "an off-chain message", count, round(middle_ms, 1))


def off_chain_message(text: bytes) -> bytes:
    """Signing domain, version 0, format 0 (printable ASCII), length in two bytes, text."""
    return b"\xffsolana offchain" + bytes([0, 0]) + len(text).to_bytes(2, "little") + text


def probe_transaction(address: str, chain_id: int) -> UnsignedTransaction:
    """The transaction no chain can take; see the module."""
    return UnsignedTransaction(chain_id, _NONCE, address, 0, b"", 1, Fees(0, 0))


@dataclass(frozen=True)
class _OnlyTheProbe:
    """The policy: this transaction and no other."""

    unsigned: UnsignedTransaction

    def allow(self, unsigned: UnsignedTransaction, action: Action) -> None:
        if unsigned != self.unsigned:
            raise PolicyRefused("a probe signs nothing but the probe", remedy="Nothing was signed. Report this.")


def _whole(backend: TransactionBackend, chain_id: int) -> None:
    unsigned = probe_transaction(backend.address, chain_id)
    action = Action("probe", "probe", "call", "a signer test", _NONCE, backend.address, 0, b"", gas_limit=1)
    EvmSigner(backend, _OnlyTheProbe(unsigned)).sign(unsigned, action)
