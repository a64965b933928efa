"""LiteSVM, held so that this node decides what it leaves open: blockhashes, repeats, slots and where accounts are kept."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from solders.account import Account as SvmAccount
from solders.clock import Clock
from solders.litesvm import LiteSVM
from solders.pubkey import Pubkey
from solders.rpc.responses import RpcSimulateTransactionResult
from solders.transaction import VersionedTransaction

from .state import Account

__all__ = ["SLOTS_PER_EPOCH", "UPGRADEABLE_LOADER", "Outcome", "Svm", "error_json"]

SLOTS_PER_EPOCH = 432_000
UPGRADEABLE_LOADER = bytes(Pubkey.from_string("BPFLoaderUpgradeab1e11111111111111111111111"))


@dataclass(frozen=True)
class Outcome:
    """What running a transaction gave. ``after`` holds accounts only where it was simulated and went well."""

    error: Any
    logs: list[str]
    units: int
    fee: int
    return_data: tuple[bytes, bytes] | None
    inner: list[list[Any]]
    after: Mapping[bytes, Account]


def error_json(error: object) -> Any:
    """A transaction error in the form clients know, ``{"InstructionError": [0, {"Custom": 1}]}``."""
    if error is None or isinstance(error, (str, dict)):
        return error
    return json.loads(RpcSimulateTransactionResult(err=error).to_json())["err"]  # type: ignore[arg-type]


def _ours(account: SvmAccount | None) -> Account | None:
    if account is None or account.lamports == 0:
        return None
    return Account(account.lamports, bytes(account.owner), account.executable, account.data)


class Svm:
    """The machine at the head of the chain."""

    def __init__(self, accounts: Mapping[bytes, Account], slot: int) -> None:
        # Any: these calls are of a newer solders than the one ship's own types are checked against.
        machine: Any = LiteSVM
        self._svm: Any = (
            machine()
            .with_feature_set(machine.mainnet_feature_set())
            .with_builtins()
            .with_default_programs()
            .with_blockhash_check(False)
            .with_transaction_history(0)
        )
        self.set_slot(slot)
        # A program is read together with its ProgramData, so that comes first.
        for key, account in sorted(accounts.items(), key=lambda item: item[1].executable):
            self.put(key, account)

    def set_slot(self, slot: int) -> None:
        self._svm.expire_blockhash()  # the hash that nonce accounts advance to
        epoch = slot // SLOTS_PER_EPOCH
        self._svm.set_clock(Clock(slot, 0, epoch, epoch + 1, int(time.time())))

    def put(self, key: bytes, account: Account) -> None:
        owner = Pubkey.from_bytes(account.owner)
        self._svm.set_account(
            Pubkey.from_bytes(key), SvmAccount(account.lamports, account.data, owner, account.executable)
        )

    def get(self, key: bytes) -> Account | None:
        return _ours(self._svm.get_account(Pubkey.from_bytes(key)))

    def owned(self, owner: bytes) -> Iterable[tuple[bytes, Account]]:
        for key, account in self._svm.get_program_accounts(Pubkey.from_bytes(owner)):
            ours = _ours(account)
            if ours is not None:
                yield bytes(key), ours

    def rent_exempt(self, data_length: int) -> int:
        return int(self._svm.minimum_balance_for_rent_exemption(data_length))

    def run(self, transaction: VersionedTransaction) -> Outcome:
        return self._outcome(self._svm.send_transaction(transaction))

    def simulate(self, transaction: VersionedTransaction, *, verify: bool) -> Outcome:
        if not verify:
            self._svm.with_sigverify(False)
        try:
            return self._outcome(self._svm.simulate_transaction(transaction))
        finally:
            self._svm.with_sigverify(True)

    @staticmethod
    def _outcome(result: Any) -> Outcome:
        error = result.err() if hasattr(result, "err") else None
        meta = result.meta() if hasattr(result, "meta") else result
        returned = meta.return_data()
        after = result.post_accounts() if hasattr(result, "post_accounts") else ()
        return Outcome(
            error=error_json(error),
            logs=meta.logs(),
            units=meta.compute_units_consumed(),
            fee=meta.fee(),
            return_data=(bytes(returned.program_id), bytes(returned.data)) if returned.data else None,
            inner=meta.inner_instructions(),
            after={bytes(key): ours for key, account in after if (ours := _ours(account)) is not None},
        )
