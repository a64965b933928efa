"""Reserving and signing: everything that is signed is on disk, fees included, before anything leaves (design law 1)."""

from __future__ import annotations

from dataclasses import dataclass

from chains.errors import Refused
from chains.evm.actions import Action
from chains.evm.fees import BaseFeeAboveCap, FeeCaps, bump, current_fees, ether
from chains.evm.sending.book import Book
from chains.evm.sending.errors import SigningStopped
from chains.evm.sending.settings import TransactionSigner
from chains.evm.transaction import Fees, UnsignedTransaction
from chains.rpc import Rpc

__all__ = ["Signing"]


@dataclass
class Signing:
    """Signs actions of the plan at the fees of the moment, under the caps."""

    rpc: Rpc
    book: Book
    signer: TransactionSigner
    caps: FeeCaps
    legacy_fees: bool
    _fees: Fees | None = None

    def new_look(self) -> None:
        """Fees are asked for once a look, not once a transaction."""
        self._fees = None

    def sign(self, action: Action) -> bytes:
        """Reserve (unless an earlier run did), sign, and have both on disk before anything leaves."""
        state = self.book.states[action.id]
        if state.stage == "planned":
            fees = self._market()
            self._within_cost(action, fees)
            chain = self.book.plan.chain
            reserved = {
                "chain_id": chain["id"],
                "genesis_hash": chain["genesis_hash"],
                "sender": self.signer.address,
                "payload_sha256": action.payload_digest,
                "address": action.address,
                "gas_limit": action.gas_limit,
                "fees": fees.to_json(),
            }
            self.book.write("tx.reserved", action, reserved)
            state = self.book.states[action.id]
        return self._signed(action, self._unsigned(action, state.fees))

    def replacement(self, action: Action) -> bytes:
        """The same payload with higher fees; the bytes there are where no higher offer is allowed."""
        newest = self.book.states[action.id].attempts[-1]
        try:
            fees = bump(newest.fees, self._market(), self.caps)
            if fees is not None:
                self._within_cost(action, fees)
        except BaseFeeAboveCap as error:
            self.book.hint, fees = error.cause, None
        else:
            if fees is None:
                self.book.hint = "the fee cap of the policy does not allow a higher offer"
        return newest.raw if fees is None else self._signed(action, self._unsigned(action, fees))

    def _market(self) -> Fees:
        if self._fees is None:
            self._fees, _ = current_fees(self.rpc, self.caps, legacy=self.legacy_fees)
        return self._fees

    def _unsigned(self, action: Action, fees: Fees | None) -> UnsignedTransaction:
        assert fees is not None
        chain_id = self.book.plan.chain["id"]
        return UnsignedTransaction(
            chain_id, action.nonce, action.to, action.value_wei, action.data, action.gas_limit, fees
        )

    def _signed(self, action: Action, unsigned: UnsignedTransaction) -> bytes:
        try:
            signed = self.signer.sign(unsigned, action)
        except Refused as error:
            if not any(s.attempts for s in self.book.states.values()):
                raise
            raise SigningStopped(
                error.cause,
                remedy=error.remedy,
                done="Earlier transactions of the plan were sent; this one was not signed.",
            ) from error
        row = {
            "hash": signed.hash,
            "raw": "0x" + signed.raw.hex(),
            "fees": unsigned.fees.to_json(),
            "signer": self.signer.address,
        }
        self.book.write("tx.signed", action, row)
        return signed.raw

    def _within_cost(self, action: Action, fees: Fees) -> None:
        """Fees may have risen since the plan was approved: its worst case must still fit. Raises ``BaseFeeAboveCap``."""
        cap_wei = self.caps.max_cost_wei
        if cap_wei is None:
            return
        plan = self.book.plan
        worst_wei = int(plan.estimate.get("worst_l1_fee_wei", 0))
        for other in plan.actions:
            state = self.book.states[other.id]
            offered = state.attempts[-1].fees if state.attempts and other is not action else fees
            gas_wei = other.gas_limit * offered.max_wei
            if state.mined is not None:
                gas_wei = state.mined.fee_wei
            worst_wei += other.value_wei + gas_wei
        if worst_wei > cap_wei:
            raise BaseFeeAboveCap(
                f"at {fees.max_wei} wei per gas the plan may cost {ether(worst_wei)}, the policy allows {ether(cap_wei)}",
                remedy="Run the same command again when fees are lower, or raise `max-cost` under [policy].",
            )
