"""The methods that send, simulate and hand out lamports."""

from __future__ import annotations

import itertools
from typing import Any

from solders.compute_budget import set_compute_unit_limit
from solders.hash import Hash
from solders.message import Message
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from solders.transaction import Transaction, VersionedTransaction

from .bank import Bank
from .base58 import b58encode
from .params import Config, RpcError, account_json, address, bytes_of, invalid, whole
from .svm import Outcome
from .transactions import Decoded, inner_json, return_data_json

__all__ = ["METHODS"]

_MAX_BYTES = 1232
_airdrops = itertools.count()


def _transaction(text: object, config: Config) -> VersionedTransaction:
    raw = bytes_of(text, config.get("encoding", "base58"), "the transaction")
    if len(raw) > _MAX_BYTES:
        raise invalid(
            f"decoded solana_transaction::versioned::VersionedTransaction too large: {len(raw)} bytes (max: {_MAX_BYTES} bytes)"
        )
    try:
        transaction = VersionedTransaction.from_bytes(raw)
        transaction.sanitize()
    except ValueError as error:
        raise invalid(f"failed to deserialize the transaction: {error}") from error
    return transaction


def _decoded(bank: Bank, text: object, config: Config) -> Decoded:
    try:
        return bank.decode(_transaction(text, config))
    except ValueError as error:
        raise invalid(f"invalid transaction: {error}") from error


def _outcome_json(outcome: Outcome) -> dict[str, Any]:
    return {
        "err": outcome.error,
        "logs": outcome.logs,
        "accounts": None,
        "unitsConsumed": outcome.units,
        "returnData": return_data_json(outcome),
        "innerInstructions": None,
        "loadedAccountsDataSize": 0,
        "replacementBlockhash": None,
        "fee": outcome.fee,
    }


def _failed(error: object) -> Outcome:
    return Outcome(error, [], 0, 0, None, [], {})


_MESSAGES = {
    "AlreadyProcessed": "This transaction has already been processed",
    "BlockhashNotFound": "Blockhash not found",
    "AccountNotFound": "Attempt to debit an account but found no record of a prior credit.",
    "InsufficientFundsForFee": "Insufficient funds for fee",
    "InvalidProgramForExecution": "This program may not be used for executing instructions",
    "ProgramAccountNotFound": "Attempt to load a program that does not exist",
}


def _explained(error: Any) -> str:
    """The error in a node's words, as far as clients read them."""
    if isinstance(error, dict) and "InstructionError" in error:
        index, reason = error["InstructionError"]
        if isinstance(reason, dict) and "Custom" in reason:
            return f"Error processing Instruction {index}: custom program error: {reason['Custom']:#x}"
        return f"Error processing Instruction {index}: {reason}"
    return _MESSAGES.get(str(error), str(error))


def send_transaction(bank: Bank, params: list[Any]) -> Any:
    config = Config.at(bank, params, 1)
    decoded = _decoded(bank, params[0], config)
    if not config.get("skipPreflight"):
        view = config.level("preflightCommitment")
        if not decoded.well_signed:
            raise RpcError(-32003, "Transaction signature verification failure")
        reason = bank.why_not(decoded, view)
        outcome = _failed(reason) if reason else bank.simulate(decoded, verify=True)
        if outcome.error is not None:
            message = f"Transaction simulation failed: {_explained(outcome.error)}"
            raise RpcError(-32002, message, _outcome_json(outcome))
    bank.take(decoded)
    return b58encode(decoded.signature)


def simulate_transaction(bank: Bank, params: list[Any]) -> Any:
    config = Config.at(bank, params, 1)
    verify, replace = bool(config.get("sigVerify")), bool(config.get("replaceRecentBlockhash"))
    if verify and replace:
        raise invalid("sigVerify may not be used with replaceRecentBlockhash")
    decoded = _decoded(bank, params[0], config)
    if verify and not decoded.well_signed:
        raise RpcError(-32003, "Transaction signature verification failure")
    reason = bank.why_not(decoded, config.view, any_blockhash=replace)
    outcome = _failed(reason) if reason else bank.simulate(decoded, verify=verify)
    value = _outcome_json(outcome)
    if config.get("innerInstructions"):
        value["innerInstructions"] = inner_json(outcome)
    if replace:
        value["replacementBlockhash"] = {
            "blockhash": b58encode(bank.ledger.blockhash(config.view)),
            "lastValidBlockHeight": bank.ledger.last_valid_height(config.view),
        }
    if (wanted := config.get("accounts")) is not None:
        value["accounts"] = _accounts_after(bank, outcome, wanted)
    return config.context(value)


def _accounts_after(bank: Bank, outcome: Outcome, wanted: Any) -> list[Any]:
    shape = Config(bank, {"encoding": wanted.get("encoding") or "base64"})
    keys = [address(text) for text in wanted.get("addresses", [])]
    if outcome.error is not None:
        return [None for _ in keys]
    return [account_json(outcome.after.get(key) or bank.svm.get(key), shape) for key in keys]


def request_airdrop(bank: Bank, params: list[Any]) -> Any:
    lamports = whole(params[1], "lamports")
    # The limit makes every airdrop a transaction of its own, whatever else it has in common with the one before.
    limit = set_compute_unit_limit(10_000 + next(_airdrops) % 100_000)
    faucet = bank.faucet
    move = transfer(
        TransferParams(from_pubkey=faucet.pubkey(), to_pubkey=Pubkey.from_bytes(address(params[0])), lamports=lamports)
    )
    blockhash = Hash.from_bytes(bank.ledger.blockhash(bank.ledger.head))
    message = Message.new_with_blockhash([limit, move], faucet.pubkey(), blockhash)
    signed = Transaction([faucet], message, blockhash)
    row = bank.take(bank.decode(VersionedTransaction.from_bytes(bytes(signed))))
    if row is None or row.meta["err"] is not None:
        raise RpcError(-32603, "airdrop request failed: the faucet cannot pay that")
    return b58encode(row.signature)


METHODS = {
    "sendTransaction": send_transaction,
    "simulateTransaction": simulate_transaction,
    "requestAirdrop": request_airdrop,
}
