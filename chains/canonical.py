"""Canonical JSON: one byte string for one value, so that a sha256 of it names the value.

The form is RFC 8785 restricted to what ``ship`` stores: objects with string keys, arrays, strings, booleans, null and
integers. Floats are refused: amounts are integers in wei, lamports or seconds.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

__all__ = ["canonical", "digest", "nesting", "pretty", "sha256_hex"]

_STRINGS = re.compile(r'"(?:[^"\\]|\\.)*"')


def _check(value: Any) -> None:
    if value is None or isinstance(value, bool | int):
        return
    if isinstance(value, str):
        if not value.isascii() and any("\ud800" <= c <= "\udfff" for c in value):
            raise TypeError("canonical JSON cannot hold half of a surrogate pair")
        return
    if isinstance(value, list | tuple):
        for item in value:
            _check(item)
        return
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise TypeError(f"canonical JSON has string keys only, not {type(key).__name__}")
            _check(key)
            _check(item)
        return
    raise TypeError(f"canonical JSON cannot hold {type(value).__name__}")


def nesting(text: str) -> int:
    """How deep arrays and objects nest in JSON or TOML ``text``, by brackets outside double quotes.

    To be asked before a parser: parsers recurse, and how deep they can is not ours to know.
    """
    depth = deepest = 0
    for bracket in re.findall(r"[\[\]{}]", _STRINGS.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


def canonical(value: Any) -> bytes:
    """``value`` as canonical JSON bytes (UTF-8, sorted keys, no spaces). Raises ``TypeError`` on anything else."""
    _check(value)
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def pretty(value: Any) -> bytes:
    """The form written to files people review: canonical order, two-space indent, final newline."""
    _check(value)
    return (json.dumps(value, sort_keys=True, indent=2, ensure_ascii=False) + "\n").encode()


def sha256_hex(data: bytes) -> str:
    """sha256 of ``data`` as 64 lower-case hex digits."""
    return hashlib.sha256(data).hexdigest()


def digest(value: Any) -> str:
    """sha256 of the canonical JSON of ``value``, 64 hex digits."""
    return sha256_hex(canonical(value))
