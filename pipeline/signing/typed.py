"""Typed data (EIP-712) that may be signed: a Safe's transaction, an approval of a plan, a release's checksums, and a probe of the key. Nothing
else, and no bare hash.

The digest is computed here from the fields; a caller never hands one over.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from chains.evm.safe.typed import SafeTx, domain_separator
from pipeline.signing.base import DigestBackend, EvmBackend, PolicyRefused, checked_signature
from pipeline.signing.probe_message import ProbeMessage

if TYPE_CHECKING:
    from pipeline.approvals.message import ApprovalMessage
    from pipeline.release.signature import ReleaseMessage

__all__ = ["SafeMessage", "typed_signature"]


@dataclass(frozen=True)
class SafeMessage:
    """``tx`` of the Safe at ``safe``."""

    chain_id: int
    safe: str
    tx: SafeTx

    def digest(self) -> bytes:
        return self.tx.hash(domain_separator(self.chain_id, self.safe))


def typed_signature(
    backend: EvmBackend, message: SafeMessage | ApprovalMessage | ProbeMessage | ReleaseMessage
) -> bytes:
    """65 bytes, ``r ‖ s ‖ v`` with v 27 or 28. Raises ``PolicyRefused`` before and ``SignatureRejected`` after."""
    from pipeline.approvals.message import ApprovalMessage
    from pipeline.release.signature import ReleaseMessage

    if not isinstance(message, SafeMessage | ApprovalMessage | ProbeMessage | ReleaseMessage):
        raise PolicyRefused(
            f"typed data of the kind {type(message).__name__} is never signed",
            remedy="Nothing was signed. Report it: ship signs Safe transactions, approvals of plans, releases and probes.",
        )
    if not isinstance(backend, DigestBackend):
        raise PolicyRefused(
            f"the {backend.name} backend signs transactions only, and typed data was asked for",
            remedy="Use a signer that signs digests; owners of a Safe can also sign elsewhere: `ship proposals show`.",
        )
    r, s, parity = checked_signature(backend, message.digest())
    return r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([27 + parity])
