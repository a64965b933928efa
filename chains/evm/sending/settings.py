"""What a sender is given besides the plan: pace and patience, a signer, and somebody who knows the right code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from chains.evm.actions import Action
from chains.evm.looking import Finality
from chains.evm.transaction import SignedTransaction, UnsignedTransaction

__all__ = ["Prove", "SendSettings", "TransactionSigner"]


class TransactionSigner(Protocol):
    """Signs one planned transaction after the policy and the plan were held against it. ``address`` has a checksum."""

    @property
    def address(self) -> str: ...

    def sign(self, unsigned: UnsignedTransaction, action: Action) -> SignedTransaction: ...


@dataclass(frozen=True)
class SendSettings:
    """Pace and patience; all ``_s`` are seconds.

    ``window`` transactions may be in flight, with no more gas than ``blocks_in_flight`` blocks hold. A transaction is
    sent again ``resend_after_s`` after no node knows it, replaced with higher fees after ``stuck_after_s``. Fees of up to
    ``moment_s`` ago, as a plan has just asked for them, are fees of now. What only a person can settle (a nonce used by another
    transaction, wrong code) must be seen for ``foreign_after_s``, and then shown by every endpoint that answers. A
    single provider's word that something is final or failed must last ``second_look_s``; where there are two, the second
    has to say the same instead (design law 3). The run stops resumably when the chain moved nothing for ``wait_s``.
    """

    finality: Finality
    window: int = 16
    blocks_in_flight: int = 2
    wait_s: float = 300.0
    poll_s: float = 1.0
    resend_after_s: float = 6.0
    stuck_after_s: float = 60.0
    foreign_after_s: float = 60.0
    legacy_fees: bool = False
    second_look_s: float = 0.0
    moment_s: float = 0.0


Prove = Callable[[Action, bytes], str | None]
"""Holds runtime code found at a new contract's address against the bundle; what is wrong, or ``None``."""
