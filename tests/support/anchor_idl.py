"""An IDL of Anchor 0.30 and later in the older form, the only one that anchorpy 0.21 reads."""

from __future__ import annotations

from typing import Any

__all__ = ["legacy_idl"]


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def _type(kind: Any) -> Any:
    if kind == "pubkey":
        return "publicKey"
    if not isinstance(kind, dict):
        return kind
    if "defined" in kind:
        return {"defined": kind["defined"]["name"]}
    return {name: [_type(value[0]), value[1]] if name == "array" else _type(value) for name, value in kind.items()}


def _fields(fields: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"name": _camel(field["name"]), "type": _type(field["type"])} for field in fields]


def _account(account: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": _camel(account["name"]),
        "isMut": account.get("writable", False),
        "isSigner": account.get("signer", False),
    }


def legacy_idl(idl: dict[str, Any]) -> dict[str, Any]:
    """Structs, instructions and errors; what the examples use."""
    types = {entry["name"]: entry["type"] for entry in idl["types"]}
    struct = {name: {"kind": "struct", "fields": _fields(kind["fields"])} for name, kind in types.items()}
    accounts = [entry["name"] for entry in idl["accounts"]]
    return {
        "version": idl["metadata"]["version"],
        "name": idl["metadata"]["name"],
        "instructions": [
            {
                "name": _camel(instruction["name"]),
                "accounts": [_account(account) for account in instruction["accounts"]],
                "args": _fields(instruction["args"]),
            }
            for instruction in idl["instructions"]
        ],
        "accounts": [{"name": name, "type": struct[name]} for name in accounts],
        "types": [{"name": name, "type": kind} for name, kind in struct.items() if name not in accounts],
        "errors": idl["errors"],
    }
