"""What differs between two Anchor IDLs, as a client sees it. Pure; either form, names in either spelling.

Not compared: documentation, and where a client may find an account by itself (``pda``, ``relations``, ``address``): who names
every account is not touched by those.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from typing import Any

from chains.compatibility import Change, added_and_removed
from chains.errors import Refused
from chains.jsontext import read_json

__all__ = ["IdlShapeless", "idl_changes"]


class IdlShapeless(Refused):
    """SHIP-Q18: an IDL that is not of Anchor's form cannot be compared."""

    code = "SHIP-Q18"


def idl_changes(old: Mapping[str, Any] | bytes, new: Mapping[str, Any] | bytes) -> Iterator[Change]:
    """Removed or changed instructions, accounts, types, events, errors and constants break; new ones add.

    Raises ``IdlShapeless``.
    """
    before, after = _read(old), _read(new)
    yield from added_and_removed(before, after)
    for where, facts in before.items():
        for what, value in facts.items():
            now = after.get(where, facts)[what]
            if now != value:
                yield Change("breaking", where, f"{what} {_shown(value)} before, {_shown(now)} now")


def _read(idl: Mapping[str, Any] | bytes) -> dict[str, Mapping[str, Any]]:
    try:
        return dict(_facts(read_json(idl) if isinstance(idl, bytes) else idl))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise IdlShapeless(
            f"an IDL is not of Anchor's form: {type(error).__name__} {error}",
            remedy="Build the program again, so that its IDL is what Anchor writes.",
        ) from error


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
    return text if len(text) <= 200 else f"{text[:200]}…"


def _facts(idl: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for entry in idl.get("instructions") or ():
        yield (
            f"instruction {_snake(entry['name'])}",
            {
                "discriminator": _discriminator(entry, "global", _snake(entry["name"])),
                "arguments": [[_snake(a["name"]), _type(a["type"])] for a in entry.get("args") or ()],
                "accounts": [_account(a) for a in _flat(entry.get("accounts") or ())],
                "returns": _type(entry.get("returns")),
            },
        )
    yield from _shapes(idl)
    for entry in idl.get("events") or ():
        yield f"event {entry['name']}", {"discriminator": _discriminator(entry, "event", entry["name"])}
    for entry in idl.get("errors") or ():
        yield f"error {entry['name']}", {"code": str(entry["code"])}
    for entry in idl.get("constants") or ():
        yield f"constant {entry['name']}", {"type": _type(entry["type"]), "value": str(entry["value"])}


def _shapes(idl: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for entry in idl.get("accounts") or ():
        yield f"account {entry['name']}", {"discriminator": _discriminator(entry, "account", entry["name"])}
    for entry in (*(idl.get("types") or ()), *(idl.get("accounts") or ())):
        if "type" in entry:
            yield f"type {entry['name']}", {"shape": _definition(entry["type"])}
    for entry in idl.get("events") or ():
        # Before 0.30 an event's fields stand with it; since then they are a type of its name.
        if "fields" in entry:
            yield f"type {entry['name']}", {"shape": {"struct": _fields(entry)}}


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _discriminator(entry: Mapping[str, Any], space: str, name: str) -> str:
    """Written down since 0.30; before, it follows from the name."""
    given = entry.get("discriminator")
    return bytes(given).hex() if given else sha256(f"{space}:{name}".encode()).digest()[:8].hex()


def _flat(accounts: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for account in accounts:
        if "accounts" in account:
            yield from _flat(account["accounts"])
        else:
            yield account


def _account(account: Mapping[str, Any]) -> str:
    marks = {
        "signer": account.get("signer", account.get("isSigner")),
        "writable": account.get("writable", account.get("isMut")),
        "optional": account.get("optional", account.get("isOptional")),
    }
    return " ".join([_snake(account["name"]), *(mark for mark, given in marks.items() if given)])


def _fields(entry: Mapping[str, Any]) -> list[Any]:
    fields = entry.get("fields") or ()
    return [
        [_snake(f["name"]), _type(f["type"])] if isinstance(f, Mapping) and "type" in f else _type(f) for f in fields
    ]


def _definition(kind: Mapping[str, Any]) -> Any:
    if kind["kind"] == "enum":
        return {"enum": [[variant["name"], _fields(variant)] for variant in kind.get("variants") or ()]}
    if kind["kind"] == "struct":
        return {"struct": _fields(kind)}
    return {key: value for key, value in kind.items() if key != "docs"}


def _type(kind: Any) -> Any:
    """One spelling for the two forms: ``pubkey`` was ``publicKey``, ``{defined: {name: X}}`` was ``{defined: X}``."""
    if kind == "publicKey":
        return "pubkey"
    if not isinstance(kind, Mapping):
        return kind
    if isinstance(kind.get("defined"), Mapping):
        generics = kind["defined"].get("generics")
        return {"defined": kind["defined"]["name"], **({"generics": generics} if generics else {})}
    return {
        shape: [_type(part) for part in inner] if isinstance(inner, list) else _type(inner)
        for shape, inner in kind.items()
    }
