"""The chain: takes transactions into the slot at its head, ends slots, and answers what each commitment level sees."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from solders.address_lookup_table_account import AddressLookupTable
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.transaction import VersionedTransaction

from .ledger import Ledger
from .state import Account, State
from .store import Landed, Store
from .svm import UPGRADEABLE_LOADER, Outcome, Svm
from .transactions import Decoded, meta_json

__all__ = ["COMMITMENTS", "Bank", "Settings"]

COMMITMENTS = ("processed", "confirmed", "finalized")
_FAUCET_LAMPORTS = 500_000_000 * 10**9
_RESTART_BLOCKS = 64
_SAVE_EVERY = 25
"""An idle chain's slot is saved this often; a restart goes on further ahead than it can have come since."""


@dataclass(frozen=True)
class Settings:
    """``*_lag`` count blocks: so many lie between the head and what this level sees."""

    slot_ms: int = 400
    confirmed_lag: int = 1
    finalized_lag: int = 32


@dataclass
class Bank:
    """See the module's docstring. ``on_slot`` and ``on_landed`` tell subscribers."""

    folder: Path
    settings: Settings
    on_slot: Callable[[], None] = lambda: None
    on_landed: Callable[[Landed], None] = lambda _: None
    prioritization_fee: int = 0
    _fresh: set[bytes] = field(default_factory=set)
    """ProgramData accounts written in this slot: their programs run from the next one on."""
    _place: int = 0
    _dirty: bool = True

    def __post_init__(self) -> None:
        self.store = Store(self.folder / "chain.sqlite")
        self.ledger: Ledger = self.store.ledger(os.urandom(32))
        if self.ledger.head:
            self.ledger.extend(_RESTART_BLOCKS)
        self.faucet = Keypair.from_seed(sha256(b"the faucet of a local node of ship").digest())
        self.state = State(self.store.accounts(), self.ledger.before(self.settings.finalized_lag))
        self.svm = Svm(self.state.live(self.ledger.head), self.ledger.head)
        if not self.ledger.head:
            self._write(bytes(self.faucet.pubkey()), Account(_FAUCET_LAMPORTS, bytes(32), False, b""))
        self.commit()

    # -- what a commitment level sees ----------------------------------------------------------------------------------

    def view(self, commitment: str) -> int:
        """The slot this level sees."""
        lags = {"processed": 0, "confirmed": self.settings.confirmed_lag, "finalized": self.settings.finalized_lag}
        return self.ledger.before(lags[commitment])

    def account(self, key: bytes, view: int) -> Account | None:
        """What lies there; built-in accounts never change."""
        return self.state.at(key, view) if self.state.knows(key) else self.svm.get(key)

    def owned(self, owner: bytes, view: int) -> list[tuple[bytes, Account]]:
        built_in = [(key, account) for key, account in self.svm.owned(owner) if not self.state.knows(key)]
        return [*built_in, *self.state.owned(owner, view)]

    # -- transactions --------------------------------------------------------------------------------------------------

    def decode(self, transaction: VersionedTransaction, view: int | None = None) -> Decoded:
        """The transaction with its lookup tables resolved. Raises ``ValueError`` for a table that is not there."""
        message = transaction.message
        writable, readonly = [], []
        if isinstance(message, MessageV0):
            for lookup in message.address_table_lookups:
                table = self.account(bytes(lookup.account_key), self.ledger.head if view is None else view)
                if table is None:
                    raise ValueError("AddressLookupTableNotFound")
                addresses = AddressLookupTable.deserialize(table.data).addresses
                if max([*lookup.writable_indexes, *lookup.readonly_indexes], default=-1) >= len(addresses):
                    raise ValueError("InvalidAddressLookupTableIndex")
                writable += [addresses[i] for i in lookup.writable_indexes]
                readonly += [addresses[i] for i in lookup.readonly_indexes]
        return Decoded(transaction, writable, readonly)

    def why_not(self, decoded: Decoded, view: int, *, any_blockhash: bool = False) -> str | None:
        """Why a transaction cannot land, before it is run."""
        if self.store.landed(decoded.signature):
            return "AlreadyProcessed"
        if any_blockhash or self.ledger.is_valid(decoded.blockhash, view) or self._is_nonce(decoded):
            return None
        return "BlockhashNotFound"

    def _is_nonce(self, decoded: Decoded) -> bool:
        """Whether the blockhash is the value of the nonce account that the first instruction advances."""
        nonce = decoded.advanced_nonce
        account = self.svm.get(bytes(nonce)) if nonce else None
        return account is not None and account.owner == bytes(32) and account.data[40:72] == decoded.blockhash

    def simulate(self, decoded: Decoded, *, verify: bool) -> Outcome:
        """Run it at the head and keep nothing."""
        return self._too_early(decoded) or self.svm.simulate(decoded.transaction, verify=verify)

    def _too_early(self, decoded: Decoded) -> Outcome | None:
        """The failure of a program called in the slot that deployed it (agave: delayed visibility)."""
        if not self._fresh:
            return None
        for position, instruction in enumerate(decoded.transaction.message.instructions):
            program = self.svm.get(bytes(decoded.keys[instruction.program_id_index]))
            if program and program.owner == UPGRADEABLE_LOADER and program.data[4:36] in self._fresh:
                error = {"InstructionError": [position, "UnsupportedProgramId"]}
                return Outcome(error, ["Program is not deployed"], 0, decoded.fee, None, [], {})
        return None

    def take(self, decoded: Decoded) -> Landed | None:
        """Run it in the slot at the head; ``None`` if it cannot land, as with a leader that drops it."""
        if self.why_not(decoded, self.ledger.head) or not decoded.well_signed:
            return None
        payer = bytes(decoded.keys[0])
        before = {bytes(key): self.svm.get(bytes(key)) for key in decoded.keys}
        outcome = self._too_early(decoded)
        if outcome:
            held = before[payer]
            if held is None or held.lamports < outcome.fee:
                return None
            self.svm.put(payer, Account(held.lamports - outcome.fee, held.owner, held.executable, held.data))
        else:
            outcome = self.svm.run(decoded.transaction)
        after = {key: self.svm.get(key) for key in before}
        if outcome.error is not None and _lamports(before[payer]) == _lamports(after[payer]):
            return None  # it could not even pay its fee
        return self._landed(decoded, outcome, before, after)

    def _landed(
        self,
        decoded: Decoded,
        outcome: Outcome,
        before: dict[bytes, Account | None],
        after: dict[bytes, Account | None],
    ) -> Landed:
        for key, account in after.items():
            if account != before[key]:
                self.state.put(key, account, self.ledger.head)
                if account and account.owner == UPGRADEABLE_LOADER and _deployed_slot(account) == self.ledger.head:
                    self._fresh.add(key)
        balances = [[_lamports(side[bytes(key)]) for key in decoded.keys] for side in (before, after)]
        row = Landed(
            decoded.signature,
            self.ledger.head,
            self._place,
            int(time.time()),
            bytes(decoded.transaction),
            meta_json(decoded, outcome, *balances),
        )
        self._place += 1
        self._dirty = True
        self.store.land(row, before)
        self.on_landed(row)
        return row

    # -- slots ---------------------------------------------------------------------------------------------------------

    def tick(self, blocks: int = 1) -> None:
        """End the slot at the head, so many times."""
        for _ in range(blocks):
            if self._dirty or self.ledger.head % _SAVE_EVERY == 0:
                self.commit()
            self.ledger.advance()
            self._begin_slot()

    def skip_to(self, slot: int) -> None:
        self.commit()
        self.ledger.skip_to(slot)
        self._begin_slot()

    def fork_away(self, blocks: int) -> None:
        """Lose the last ``blocks`` blocks (the one being filled is the first of them), as when a minority's fork is left."""
        if not 0 < blocks <= self.settings.finalized_lag:
            raise ValueError(f"1 to {self.settings.finalized_lag} blocks can be forked away: older ones are final")
        kept = self.ledger.fork_away(blocks)
        self.state.fork_away(kept)
        self.store.fork_away(kept)
        self.svm = Svm(self.state.live(kept), self.ledger.head)
        self._begin_slot()
        self.commit()

    def _begin_slot(self) -> None:
        self._fresh.clear()
        self._place = 0
        self.svm.set_slot(self.ledger.head)
        self.state.root(self.view("finalized"))
        self.on_slot()

    def commit(self) -> None:
        """Put all of it on disk."""
        self.store.commit(self.ledger, self.state.taken())
        self._dirty = False

    def close(self) -> None:
        self.commit()
        self.store.close()

    def put(self, key: bytes, account: Account) -> None:
        """Outside any transaction."""
        self._write(key, account)
        self._dirty = True

    def _write(self, key: bytes, account: Account) -> None:
        self.svm.put(key, account)
        self.state.put(key, account, self.ledger.head)

    def status(self, row: Landed) -> dict[str, Any]:
        """As getSignatureStatuses gives it."""
        level = next(c for c in reversed(COMMITMENTS) if row.slot <= self.view(c))
        error = row.meta["err"]
        confirmations = None if level == "finalized" else self.ledger.height() - self.ledger.height(row.slot)
        return {
            "slot": row.slot,
            "confirmations": confirmations,
            "err": error,
            "status": {"Ok": None} if error is None else {"Err": error},
            "confirmationStatus": level,
        }


def _lamports(account: Account | None) -> int:
    return account.lamports if account else 0


def _deployed_slot(account: Account) -> int | None:
    """The slot in a ProgramData account's head."""
    if int.from_bytes(account.data[:4], "little") != 3:
        return None
    return int.from_bytes(account.data[4:12], "little")
