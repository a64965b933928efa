"""Reserving and signing: everything that is signed is on disk, fees included, before anything leaves (design law 1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chains.base import Clock
from chains.errors import Refused
from chains.evm.actions import Action
from chains.evm.fees import BaseFeeAboveCap, FeeCaps, bump, current_fees, ether
from chains.evm.sending.book import Book, Entry
from chains.evm.sending.errors import SigningStopped
from chains.evm.sending.settings import TransactionSigner
from chains.evm.transaction import Fees, SignedTransaction, UnsignedTransaction
from chains.rpc import Rpc

__all__ = ["Signing"]

FLUSH_AFTER_S = 0.5
Handed = tuple[Action, bytes]


@dataclass
class Signing:
    """Signs actions of the plan at the fees of the moment, under the caps."""

    rpc: Rpc
    book: Book
    signer: TransactionSigner
    clock: Clock
    caps: FeeCaps
    legacy_fees: bool
    moment_s: float
    _fees: Fees | None = None

    def new_look(self) -> None:
        """Fees are asked for once a look, not once a transaction."""
        self._fees = None

    def sign(self, actions: Sequence[Action]) -> list[Handed]:
        """Reserve (unless an earlier run did), then sign, each as one group that is on disk before anything leaves."""
        fresh = [a for a in actions if self.book.states[a.id].stage == "planned"]
        if fresh:
            fees = self._market()
            for action in fresh:
                self._within_cost(action, fees)
            self.book.write_all([("tx.reserved", action, self._reservation(action, fees)) for action in fresh])
        return self._signed([(action, self._unsigned(action, self.book.states[action.id].fees)) for action in actions])

    def replacements(self, actions: Sequence[Action]) -> list[Handed]:
        """The same payloads with higher fees; the bytes there are where no higher offer is allowed."""
        kept, raised = [], []
        for action in actions:
            newest = self.book.states[action.id].attempts[-1]
            fees = self._higher(action, newest.fees)
            if fees is None:
                kept.append((action, newest.raw))
            else:
                raised.append((action, self._unsigned(action, fees)))
        return kept + self._signed(raised)

    def _higher(self, action: Action, than: Fees) -> Fees | None:
        try:
            fees = bump(than, self._market(), self.caps)
            if fees is None:
                self.book.hint = "the fee cap of the policy does not allow a higher offer"
            else:
                self._within_cost(action, fees)
        except BaseFeeAboveCap as error:
            self.book.hint = error.cause
            return None
        return fees

    def _reservation(self, action: Action, fees: Fees) -> dict[str, Any]:
        chain = self.book.plan.chain
        return {
            "chain_id": chain["id"],
            "genesis_hash": chain["genesis_hash"],
            "sender": self.signer.address,
            "payload_sha256": action.payload_digest,
            "address": action.address,
            "gas_limit": action.gas_limit,
            "fees": fees.to_json(),
        }

    def _market(self) -> Fees:
        if self._fees is None:
            self._fees, _ = current_fees(self.rpc, self.caps, legacy=self.legacy_fees, max_age_s=self.moment_s)
        return self._fees

    def _unsigned(self, action: Action, fees: Fees | None) -> UnsignedTransaction:
        assert fees is not None
        chain_id = self.book.plan.chain["id"]
        return UnsignedTransaction(
            chain_id, action.nonce, action.to, action.value_wei, action.data, action.gas_limit, fees
        )

    def _signed(self, wanted: Sequence[tuple[Action, UnsignedTransaction]]) -> list[Handed]:
        """Sign all, and have the rows on disk in groups: a slow signer's first signatures do not wait for its last."""
        done: list[Handed] = []
        held: list[Entry] = []
        since_s = self.clock.monotonic_s()
        try:
            for action, unsigned in wanted:
                signed = self.signer.sign(unsigned, action)
                held.append(("tx.signed", action, self._row(signed, unsigned.fees)))
                done.append((action, signed.raw))
                if self.clock.monotonic_s() - since_s >= FLUSH_AFTER_S:
                    self._flush(held)
                    since_s = self.clock.monotonic_s()
        except Refused as error:
            self._flush(held)
            if not any(s.attempts for s in self.book.states.values()):
                raise
            raise SigningStopped(
                error.cause,
                remedy=error.remedy,
                done="Earlier transactions of the plan were signed and are in the journal; this one was not signed.",
            ) from error
        finally:
            self._flush(held)
        return done

    def _flush(self, held: list[Entry]) -> None:
        entries = held[:]
        held.clear()
        self.book.write_all(entries)

    def _row(self, signed: SignedTransaction, fees: Fees) -> dict[str, Any]:
        raw = "0x" + signed.raw.hex()
        return {"hash": signed.hash, "raw": raw, "fees": fees.to_json(), "signer": self.signer.address}

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
