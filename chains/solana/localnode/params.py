"""The parameters of a request, and the errors a request can end in."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from solders.pubkey import Pubkey

from .bank import COMMITMENTS, Bank
from .base58 import b58decode, b58encode
from .state import Account

__all__ = ["Config", "RpcError", "account_json", "address", "bytes_of", "invalid", "whole"]

_MAX_BASE58_BYTES = 128


class RpcError(Exception):
    """An ``error`` of JSON-RPC."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.body = {"code": code, "message": message} | ({} if data is None else {"data": data})


def invalid(message: str) -> RpcError:
    return RpcError(-32602, f"Invalid params: {message}")


def address(value: object) -> bytes:
    try:
        return bytes(Pubkey.from_string(str(value)))
    except ValueError as error:
        raise invalid(f"{value!r} is no address") from error


def whole(value: object, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise invalid(f"{name} must be a whole number")
    return value


def bytes_of(value: object, encoding: str, name: str) -> bytes:
    try:
        if encoding == "base58":
            return b58decode(str(value))
        if encoding == "base64":
            return b64decode(str(value), validate=True)
    except ValueError as error:
        raise invalid(f"{name} is no {encoding}") from error
    raise invalid(f"the encoding {encoding!r} of {name} is not known to this node")


@dataclass(frozen=True)
class Config:
    """The last parameter of most methods, and the slot its commitment sees."""

    bank: Bank
    values: Mapping[str, Any]

    @classmethod
    def at(cls, bank: Bank, params: list[Any], position: int) -> Config:
        values = params[position] if len(params) > position else None
        if values is not None and not isinstance(values, dict):
            raise invalid(f"parameter {position + 1} must be an object")
        config = cls(bank, values or {})
        least = config.values.get("minContextSlot")
        if least is not None and config.view < whole(least, "minContextSlot"):
            raise RpcError(-32016, "Minimum context slot has not been reached", {"contextSlot": config.view})
        return config

    def get(self, name: str, default: Any = None) -> Any:
        value = self.values.get(name)
        return default if value is None else value

    @property
    def view(self) -> int:
        return self.level("commitment")

    def level(self, name: str) -> int:
        commitment = self.get(name, "finalized")
        if commitment not in COMMITMENTS:
            raise invalid(f"{name} must be one of {', '.join(COMMITMENTS)}")
        return self.bank.view(commitment)

    def context(self, value: Any) -> dict[str, Any]:
        return {"context": {"apiVersion": "2.0.0", "slot": self.view}, "value": value}


def account_json(account: Account | None, config: Config) -> dict[str, Any] | None:
    """As getAccountInfo gives it. ``jsonParsed`` falls back to base64, as it does for every program a node does not know."""
    if account is None:
        return None
    data, encoding = account.data, config.get("encoding", "binary")
    part = config.get("dataSlice")
    if part is not None:
        offset, length = whole(part.get("offset"), "offset"), whole(part.get("length"), "length")
        data = data[offset : offset + length]
    shown: Any
    if encoding in {"base64", "jsonParsed"}:
        shown = [b64encode(data).decode(), "base64"]
    elif encoding in {"base58", "binary"}:
        if len(data) > _MAX_BASE58_BYTES:
            raise RpcError(
                -32600, "Encoded binary (base 58) data should be less than 128 bytes, please use Base64 encoding."
            )
        shown = [b58encode(data), "base58"] if encoding == "base58" else b58encode(data)
    else:
        raise invalid(f"the encoding {encoding!r} is not known to this node")
    return {
        "lamports": account.lamports,
        "owner": b58encode(account.owner),
        "executable": account.executable,
        "rentEpoch": 2**64 - 1,
        "space": len(account.data),
        "data": shown,
    }
