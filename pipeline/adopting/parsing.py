"""Reading files that others wrote: sizes capped, duplicate keys refused, addresses and hashes held to their form."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chains.errors import Where, printable
from chains.evm.address import checksum
from pipeline.adopting.claims import FileUnreadable

__all__ = ["address_at", "hash_or_none", "load_json", "read_text", "unreadable"]

MAX_BYTES = 64 * 1024 * 1024
MAX_DEPTH = 100
_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]')


def unreadable(path: Path, why: str) -> FileUnreadable:
    return FileUnreadable(
        f"{path.name}: {printable(why, 300)}",
        where=Where(str(path)),
        remedy="Give a Foundry broadcast file, a hardhat-deploy or Ignition deployment, an OpenZeppelin manifest, or a list "
        "of names and addresses (docs/guide/adopting.md).",
    )


def read_text(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise unreadable(path, f"it is larger than {MAX_BYTES // 1024 // 1024} MiB")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise unreadable(path, f"it cannot be read: {error}") from error


def _depth(text: str) -> int:
    """How deep it nests: the parser recurses, and how deep it can is not its own to say."""
    depth = deepest = 0
    for match in _BRACKETS.finditer(text):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(match[0], 0)
        deepest = max(deepest, depth)
    return deepest


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found


def load_json(path: Path, text: str | None = None) -> Any:
    text = read_text(path) if text is None else text
    if _depth(text) > MAX_DEPTH:
        raise unreadable(path, f"it is nested deeper than {MAX_DEPTH} levels")
    try:
        return json.loads(text, object_pairs_hook=_pairs)
    except (ValueError, RecursionError) as error:
        raise unreadable(path, f"it is not JSON: {error}") from error


def address_at(path: Path, value: Any, what: str) -> str:
    """An address with its checksum. One in mixed case whose checksum is wrong is refused."""
    if not isinstance(value, str) or not re.fullmatch(r"0x[0-9a-fA-F]{40}", value):
        raise unreadable(path, f"{what} is not an address: {value!r}")
    right = checksum(value)
    if value != right and value[2:] not in {value[2:].lower(), value[2:].upper()}:
        raise unreadable(path, f"{what} is {value}, whose checksum is wrong; if every digit is right, it is {right}")
    return right


def hash_or_none(value: Any) -> str | None:
    """A transaction hash in lower case, or ``None`` where there is none."""
    return value.lower() if isinstance(value, str) and re.fullmatch(r"0x[0-9a-fA-F]{64}", value) else None


def text_or_none(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def table(path: Path, value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise unreadable(path, f"{what} is not a table")
    return value
