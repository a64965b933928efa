"""The methods that read accounts, slots and blocks."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable
from typing import Any

from solders.message import from_bytes_versioned

from .bank import Bank
from .base58 import b58decode, b58encode
from .params import Config, RpcError, account_json, address, bytes_of, invalid, whole
from .state import Account
from .store import Landed
from .svm import SLOTS_PER_EPOCH
from .transactions import message_fee, transaction_json

__all__ = ["METHODS", "Method"]

Method = Callable[[Bank, list[Any]], Any]
_MAX_ACCOUNTS = 100
_MAX_SIGNATURES = 256
_FEE_BLOCKS = 150
_TYPES_WITHOUT_VERSION = "legacy"


def latest_blockhash(bank: Bank, params: list[Any]) -> Any:
    config = Config.at(bank, params, 0)
    slot = config.view
    return config.context(
        {
            "blockhash": b58encode(bank.ledger.blockhash(slot)),
            "lastValidBlockHeight": bank.ledger.last_valid_height(slot),
        }
    )


def is_blockhash_valid(bank: Bank, params: list[Any]) -> Any:
    config = Config.at(bank, params, 1)
    return config.context(bank.ledger.is_valid(bytes_of(params[0], "base58", "the blockhash"), config.view))


def account_info(bank: Bank, params: list[Any]) -> Any:
    config = Config.at(bank, params, 1)
    return config.context(account_json(bank.account(address(params[0]), config.view), config))


def multiple_accounts(bank: Bank, params: list[Any]) -> Any:
    config = Config.at(bank, params, 1)
    if not isinstance(params[0], list) or len(params[0]) > _MAX_ACCOUNTS:
        raise invalid(f"Too many inputs provided; max {_MAX_ACCOUNTS}")
    return config.context([account_json(bank.account(address(key), config.view), config) for key in params[0]])


def balance(bank: Bank, params: list[Any]) -> Any:
    config = Config.at(bank, params, 1)
    account = bank.account(address(params[0]), config.view)
    return config.context(account.lamports if account else 0)


def _passes(account: Account, filters: list[Any]) -> bool:
    for rule in filters:
        if rule.get("dataSize") is not None:
            if len(account.data) != whole(rule["dataSize"], "dataSize"):
                return False
        elif rule.get("memcmp"):
            compare = rule["memcmp"]
            offset = whole(compare.get("offset"), "offset")
            wanted = bytes_of(compare.get("bytes"), compare.get("encoding") or "base58", "memcmp.bytes")
            if account.data[offset : offset + len(wanted)] != wanted:
                return False
        else:
            raise invalid("a filter must be dataSize or memcmp")
    return True


def program_accounts(bank: Bank, params: list[Any]) -> Any:
    config = Config.at(bank, params, 1)
    filters = config.get("filters", [])
    found = [
        {"pubkey": b58encode(key), "account": account_json(account, config)}
        for key, account in bank.owned(address(params[0]), config.view)
        if _passes(account, filters)
    ]
    return config.context(found) if config.get("withContext") else found


def fee_for_message(bank: Bank, params: list[Any]) -> Any:
    config = Config.at(bank, params, 1)
    try:
        message: Any = from_bytes_versioned(b64decode(str(params[0]), validate=True))
    except ValueError as error:
        raise invalid("the message cannot be read") from error
    valid = bank.ledger.is_valid(bytes(message.recent_blockhash), config.view)
    return config.context(message_fee(message) if valid else None)


def epoch_info(bank: Bank, params: list[Any]) -> Any:
    slot = Config.at(bank, params, 0).view
    return {
        "absoluteSlot": slot,
        "blockHeight": bank.ledger.height(slot),
        "epoch": slot // SLOTS_PER_EPOCH,
        "slotIndex": slot % SLOTS_PER_EPOCH,
        "slotsInEpoch": SLOTS_PER_EPOCH,
        "transactionCount": None,
    }


def prioritization_fees(bank: Bank, params: list[Any]) -> Any:
    first = bank.ledger.before(_FEE_BLOCKS - 1)
    return [
        {"slot": slot, "prioritizationFee": bank.prioritization_fee}
        for slot in range(first, bank.ledger.head + 1)
        if bank.ledger.has_block(slot)
    ]


def signature_statuses(bank: Bank, params: list[Any]) -> Any:
    if not isinstance(params[0], list) or len(params[0]) > _MAX_SIGNATURES:
        raise invalid(f"Too many inputs provided; max {_MAX_SIGNATURES}")
    found = [bank.store.landed(_signature(text)) for text in params[0]]
    value = [bank.status(row) if row else None for row in found]
    return {"context": {"apiVersion": "2.0.0", "slot": bank.ledger.head}, "value": value}


def _signature(text: object) -> bytes:
    signature = b58decode(str(text))
    if len(signature) != 64:
        raise invalid("a signature has 64 bytes")
    return signature


def _shown(row: Landed, encoding: str, most_version: int | None) -> dict[str, Any]:
    transaction = transaction_json(row.raw, encoding, row.meta)
    versioned = row.raw[1 + 64 * row.raw[0]] & 0x80  # fewer than 128 signatures fit, so their count is one byte
    if versioned and most_version is None:
        raise RpcError(
            -32015,
            "Transaction version (0) is not supported by the requesting client. Please try the request again with the "
            'following configuration parameter: "maxSupportedTransactionVersion": 0',
        )
    version = {} if most_version is None else {"version": 0 if versioned else _TYPES_WITHOUT_VERSION}
    return {"transaction": transaction, "meta": row.meta, **version}


def transaction(bank: Bank, params: list[Any]) -> Any:
    given = params[1] if len(params) > 1 else None
    config = Config.at(bank, [{"encoding": given} if isinstance(given, str) else given], 0)
    row = bank.store.landed(_signature(params[0]))
    if row is None or row.slot > config.view:
        return None
    shown = _shown(row, config.get("encoding", "json"), config.get("maxSupportedTransactionVersion"))
    return {"slot": row.slot, "blockTime": row.time_s, **shown}


def signatures_for_address(bank: Bank, params: list[Any]) -> Any:
    config = Config.at(bank, params, 1)
    before, until = (_signature(config.get(n)) if config.get(n) else None for n in ("before", "until"))
    found: list[dict[str, Any]] = []
    for row in bank.store.mentioning(address(params[0]), config.view):
        if row.signature == until or len(found) == config.get("limit", 1_000):
            break
        if before:
            before = None if row.signature == before else before
            continue
        found.append(
            {
                "signature": b58encode(row.signature),
                "slot": row.slot,
                "err": row.meta["err"],
                "memo": None,
                "blockTime": row.time_s,
                "confirmationStatus": bank.status(row)["confirmationStatus"],
            }
        )
    return found


def block(bank: Bank, params: list[Any]) -> Any:
    slot = whole(params[0], "the slot")
    config = Config.at(bank, params, 1)
    if slot > config.view:
        raise RpcError(-32004, f"Block not available for slot {slot}")
    if not bank.ledger.has_block(slot):
        raise RpcError(-32007, f"Slot {slot} was skipped, or missing due to ledger jump to recent snapshot")
    rows, height = bank.store.block(slot), bank.ledger.height(slot)
    parent = bank.ledger.slot_at(max(0, height - 1))
    found: dict[str, Any] = {
        "blockhash": b58encode(bank.ledger.blockhash(slot)),
        "previousBlockhash": b58encode(bank.ledger.blockhash(parent)),
        "parentSlot": parent,
        "blockHeight": height,
        "blockTime": rows[0].time_s if rows else None,
        "rewards": [],
    }
    details = config.get("transactionDetails", "full")
    if details == "signatures":
        found["signatures"] = [b58encode(row.signature) for row in rows]
    elif details != "none":
        encoding, version = config.get("encoding", "json"), config.get("maxSupportedTransactionVersion")
        found["transactions"] = [_shown(row, encoding, version) for row in rows]
    return found


def blocks(bank: Bank, params: list[Any]) -> Any:
    last = params[1] if len(params) > 1 and isinstance(params[1], int) else None
    view = Config.at(bank, params, 1 if last is None else 2).view if not isinstance(params[-1], int) else None
    top = bank.view("finalized") if view is None else view
    top = top if last is None else min(top, last)
    return [slot for slot in range(whole(params[0], "the slot"), top + 1) if bank.ledger.has_block(slot)]


def block_time(bank: Bank, params: list[Any]) -> Any:
    rows = bank.store.block(whole(params[0], "the slot"))
    return rows[0].time_s if rows else None


METHODS: dict[str, Method] = {
    "getLatestBlockhash": latest_blockhash,
    "isBlockhashValid": is_blockhash_valid,
    "getAccountInfo": account_info,
    "getMultipleAccounts": multiple_accounts,
    "getBalance": balance,
    "getProgramAccounts": program_accounts,
    "getFeeForMessage": fee_for_message,
    "getEpochInfo": epoch_info,
    "getRecentPrioritizationFees": prioritization_fees,
    "getSignatureStatuses": signature_statuses,
    "getTransaction": transaction,
    "getSignaturesForAddress": signatures_for_address,
    "getBlock": block,
    "getBlocks": blocks,
    "getBlockTime": block_time,
    "getSlot": lambda bank, params: Config.at(bank, params, 0).view,
    "getBlockHeight": lambda bank, params: bank.ledger.height(Config.at(bank, params, 0).view),
    "getMinimumBalanceForRentExemption": lambda bank, params: bank.svm.rent_exempt(whole(params[0], "the length")),
    "getGenesisHash": lambda bank, params: b58encode(bank.ledger.genesis),
    "getFirstAvailableBlock": lambda bank, params: 0,
    "minimumLedgerSlot": lambda bank, params: 0,
    "getHealth": lambda bank, params: "ok",
    "getVersion": lambda bank, params: {"solana-core": "2.0.0", "feature-set": 0},
    "getIdentity": lambda bank, params: {"identity": str(bank.faucet.pubkey())},
}
