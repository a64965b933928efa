"""A transaction taken apart, and in the JSON forms of getTransaction."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from solders.message import Message, MessageV0
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from .base58 import b58encode
from .svm import Outcome

__all__ = ["Decoded", "meta_json", "return_data_json", "transaction_json"]

_LAMPORTS_PER_SIGNATURE = 5_000
_COMPUTE_BUDGET = Pubkey.from_string("ComputeBudget111111111111111111111111111111")
_SYSTEM = Pubkey.default()
_UNITS_PER_INSTRUCTION = 200_000
_UNITS_PER_BUILTIN = 3_000
_MAX_UNITS = 1_400_000
_BUILTINS = {_SYSTEM, _COMPUTE_BUDGET, Pubkey.from_string("BPFLoaderUpgradeab1e11111111111111111111111")}


class Decoded:
    """A transaction whose lookup tables are resolved to ``writable`` and ``readonly`` keys."""

    def __init__(
        self, transaction: VersionedTransaction, writable: Sequence[Pubkey] = (), readonly: Sequence[Pubkey] = ()
    ) -> None:
        self.transaction = transaction
        self.loaded = (list(writable), list(readonly))
        self.keys: list[Pubkey] = [*transaction.message.account_keys, *writable, *readonly]
        self.signature = bytes(transaction.signatures[0])
        self.blockhash = bytes(transaction.message.recent_blockhash)

    @cached_property
    def well_signed(self) -> bool:
        return all(self.transaction.verify_with_results())

    @property
    def advanced_nonce(self) -> Pubkey | None:
        """The nonce account that the first instruction advances; its value may then stand for the blockhash."""
        first = next(iter(self.transaction.message.instructions), None)
        if first is None or self.keys[first.program_id_index] != _SYSTEM or bytes(first.data) != b"\4\0\0\0":
            return None
        return self.keys[bytes(first.accounts)[0]] if bytes(first.accounts) else None

    @cached_property
    def fee(self) -> int:
        return message_fee(self.transaction.message)


def message_fee(message: Message | MessageV0) -> int:
    """Lamports: per signature, and the price of the compute units asked for."""
    price = asked = default = 0
    for instruction in message.instructions:
        program = message.account_keys[instruction.program_id_index]
        data = bytes(instruction.data)
        default += _UNITS_PER_BUILTIN if program in _BUILTINS else _UNITS_PER_INSTRUCTION
        if program == _COMPUTE_BUDGET and data[:1] == b"\2":
            asked = int.from_bytes(data[1:5], "little")
        elif program == _COMPUTE_BUDGET and data[:1] == b"\3":
            price = int.from_bytes(data[1:9], "little")
    units = min(asked or default, _MAX_UNITS)
    return _LAMPORTS_PER_SIGNATURE * message.header.num_required_signatures + -(-price * units // 1_000_000)


def return_data_json(outcome: Outcome) -> dict[str, Any] | None:
    if outcome.return_data is None:
        return None
    program, data = outcome.return_data
    return {"programId": b58encode(program), "data": [b64encode(data).decode(), "base64"]}


def inner_json(outcome: Outcome) -> list[dict[str, Any]]:
    return [
        {
            "index": index,
            "instructions": [
                {**_instruction(inner.instruction()), "stackHeight": inner.stack_height()} for inner in group
            ],
        }
        for index, group in enumerate(outcome.inner)
        if group
    ]


def meta_json(decoded: Decoded, outcome: Outcome, before: list[int], after: list[int]) -> dict[str, Any]:
    """The ``meta`` of getTransaction."""
    meta = {
        "err": outcome.error,
        "status": {"Ok": None} if outcome.error is None else {"Err": outcome.error},
        "fee": outcome.fee,
        "preBalances": before,
        "postBalances": after,
        "innerInstructions": inner_json(outcome),
        "logMessages": outcome.logs,
        "preTokenBalances": [],
        "postTokenBalances": [],
        "rewards": [],
        "loadedAddresses": {
            name: [str(key) for key in keys]
            for name, keys in zip(("writable", "readonly"), decoded.loaded, strict=True)
        },
        "computeUnitsConsumed": outcome.units,
    }
    returned = return_data_json(outcome)
    return meta | ({"returnData": returned} if returned else {})


def _instruction(instruction: Any) -> dict[str, Any]:
    return {
        "programIdIndex": instruction.program_id_index,
        "accounts": [*instruction.accounts],
        "data": b58encode(bytes(instruction.data)),
        "stackHeight": 1,
    }


def _is_writable(index: int, signed: int, readonly_signed: int, readonly_unsigned: int, total: int) -> bool:
    return index < signed - readonly_signed if index < signed else index < total - readonly_unsigned


def _parsed_message(message: Message | MessageV0, meta: dict[str, Any]) -> dict[str, Any]:
    """``jsonParsed`` for a node that knows no program's instructions: accounts named, data in base58."""
    header = message.header
    counts = (
        header.num_required_signatures,
        header.num_readonly_signed_accounts,
        header.num_readonly_unsigned_accounts,
    )
    static = [
        {
            "pubkey": str(key),
            "signer": index < counts[0],
            "writable": _is_writable(index, *counts, len(message.account_keys)),
            "source": "transaction",
        }
        for index, key in enumerate(message.account_keys)
    ]
    loaded = [
        {"pubkey": key, "signer": False, "writable": name == "writable", "source": "lookupTable"}
        for name in ("writable", "readonly")
        for key in meta["loadedAddresses"][name]
    ]
    keys = [entry["pubkey"] for entry in (*static, *loaded)]
    return {
        "accountKeys": [*static, *loaded],
        "recentBlockhash": str(message.recent_blockhash),
        "instructions": [
            {
                "programId": keys[instruction.program_id_index],
                "accounts": [keys[i] for i in bytes(instruction.accounts)],
                "data": b58encode(bytes(instruction.data)),
                "stackHeight": 1,
            }
            for instruction in message.instructions
        ],
    }


def _lookups(message: Message | MessageV0) -> list[dict[str, Any]]:
    return [
        {
            "accountKey": str(lookup.account_key),
            "writableIndexes": [*lookup.writable_indexes],
            "readonlyIndexes": [*lookup.readonly_indexes],
        }
        for lookup in (message.address_table_lookups if isinstance(message, MessageV0) else ())
    ]


def transaction_json(raw: bytes, encoding: str, meta: dict[str, Any]) -> Any:
    """The ``transaction`` of getTransaction."""
    if encoding == "base64":
        return [b64encode(raw).decode(), "base64"]
    if encoding in {"base58", "binary"}:
        return b58encode(raw) if encoding == "binary" else [b58encode(raw), "base58"]
    transaction = VersionedTransaction.from_bytes(raw)
    message = transaction.message
    if encoding == "jsonParsed":
        body = _parsed_message(message, meta)
    else:
        header = message.header
        body = {
            "header": {
                "numRequiredSignatures": header.num_required_signatures,
                "numReadonlySignedAccounts": header.num_readonly_signed_accounts,
                "numReadonlyUnsignedAccounts": header.num_readonly_unsigned_accounts,
            },
            "accountKeys": [str(key) for key in message.account_keys],
            "recentBlockhash": str(message.recent_blockhash),
            "instructions": [_instruction(instruction) for instruction in message.instructions],
        }
    if isinstance(message, MessageV0):
        body["addressTableLookups"] = _lookups(message)
    return {"signatures": [str(signature) for signature in transaction.signatures], "message": body}
