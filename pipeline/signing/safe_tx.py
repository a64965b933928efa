"""The typed-data path of the signer: a Safe transaction, and only one the approved plan proposes.

The caller hands over fields, never a hash. Domain, hash and what may be signed follow from the plan held here.
"""

from __future__ import annotations

from chains.evm.actions import EvmPlan
from chains.evm.address import checksum
from chains.evm.proposal import Proposal
from chains.evm.safe.typed import SafeTx, approve_hash, domain_separator
from pipeline.signing.base import EvmBackend, PolicyRefused
from pipeline.signing.guard import Guard
from pipeline.signing.rules.base import Request
from pipeline.signing.typed import SafeMessage, typed_signature

__all__ = ["SafeTxSigner"]


class SafeTxSigner:
    """Signs for Safes the backend's key is an owner of.

    Raises ``PolicyRefused`` before and ``SignatureRejected`` after the backend was asked.
    """

    def __init__(self, backend: EvmBackend, plan: EvmPlan, guard: Guard | None = None) -> None:
        self._backend = backend
        self._plan = plan
        self._guard = guard

    @property
    def address(self) -> str:
        return checksum(self._backend.address)

    def sign(self, proposal: str, tx: SafeTx) -> bytes:
        """65 bytes, ``r ‖ s ‖ v``, over ``tx`` of the proposal's Safe. Its nonce may have moved on since the plan."""
        planned = self._planned(proposal, tx)
        return self._over(proposal, planned.safe, tx)

    def sign_nested(self, proposal: str, tx: SafeTx, safe: str, approval: SafeTx) -> bytes:
        """As ``sign``, over the approval of ``tx`` by ``safe``, an owner that is itself a Safe."""
        planned = self._planned(proposal, tx)
        digest = tx.hash(self._domain(planned.safe))
        if approval != SafeTx(planned.safe, 0, approve_hash(digest), 0, approval.nonce):
            raise self._no(proposal, f"the transaction of {safe} is not an approval of the proposal")
        return self._over(proposal, safe, approval)

    def _planned(self, proposal: str, tx: SafeTx) -> Proposal:
        planned = next((p for p in self._plan.proposals if p.id == proposal), None)
        if planned is None:
            raise self._no(proposal, "it is not a proposal of the plan")
        if tx.nonce < planned.tx.nonce:
            raise self._no(proposal, "its nonce is below the planned one")
        if tx != planned.tx.with_nonce(tx.nonce):
            raise self._no(proposal, "its fields are not the plan's")
        return planned

    def _domain(self, safe: str) -> bytes:
        return domain_separator(int(self._plan.chain["id"]), safe)

    def _over(self, proposal: str, safe: str, tx: SafeTx) -> bytes:
        message = SafeMessage(int(self._plan.chain["id"]), safe, tx)
        if self._guard is not None:
            request = Request(proposal, message.digest(), self._guard.covered(proposal), form="SafeTx")
            self._guard.allow(request, lambda: None)
        return typed_signature(self._backend, message)

    @staticmethod
    def _no(proposal: str, why: str) -> PolicyRefused:
        return PolicyRefused(
            f"signing the proposal {proposal} is refused: {why}",
            remedy="Nothing was signed. Make a new plan; if this comes again, report it.",
        )
