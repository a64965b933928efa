"""What no real cluster lets anyone do: made for tests, and there only where the node was started with ``--admin``."""

from __future__ import annotations

from typing import Any

from .bank import Bank
from .ledger import MAX_AGE_BLOCKS
from .params import address, bytes_of, invalid, whole
from .state import Account

__all__ = ["METHODS"]


def set_slot(bank: Bank, params: list[Any]) -> int:
    """Skip to this slot."""
    try:
        bank.skip_to(whole(params[0], "the slot"))
    except ValueError as error:
        raise invalid(str(error)) from error
    return bank.ledger.head


def advance(bank: Bank, params: list[Any]) -> int:
    """Make so many blocks at once."""
    bank.tick(whole(params[0], "blocks"))
    return bank.ledger.head


def expire_blockhashes(bank: Bank, params: list[Any]) -> int:
    """So many blocks that no blockhash given out before is good, or final too early, any more."""
    bank.tick(MAX_AGE_BLOCKS + 1 + bank.settings.finalized_lag)
    return bank.ledger.head


def rollback(bank: Bank, params: list[Any]) -> int:
    """Fork away so many blocks, the one being filled among them."""
    try:
        bank.fork_away(whole(params[0], "blocks"))
    except ValueError as error:
        raise invalid(str(error)) from error
    return bank.ledger.head


def set_prioritization_fee(bank: Bank, params: list[Any]) -> int:
    """What getRecentPrioritizationFees gives, in micro-lamports a compute unit."""
    bank.prioritization_fee = whole(params[0], "the fee")
    return bank.prioritization_fee


def set_account(bank: Bank, params: list[Any]) -> int:
    """Put an account where no transaction could: a program at an address whose key nobody here has."""
    given = params[1]
    account = Account(
        whole(given.get("lamports"), "lamports"),
        address(given.get("owner")),
        bool(given.get("executable")),
        bytes_of(given.get("data"), "base64", "data"),
    )
    bank.put(address(params[0]), account)
    return bank.ledger.head


METHODS = {
    "ship_setSlot": set_slot,
    "ship_advance": advance,
    "ship_expireBlockhashes": expire_blockhashes,
    "ship_rollback": rollback,
    "ship_setPrioritizationFee": set_prioritization_fee,
    "ship_setAccount": set_account,
}
