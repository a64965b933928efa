"""Canonical JSON: one byte string for one value, so that a sha256 of it names the value.

The form is RFC 8785 restricted to what ``ship`` stores: objects with string keys, arrays, strings, booleans, null and
integers. Floats are refused: amounts are integers in wei, lamports or seconds.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

__all__ = ["canonical", "digest", "pretty", "sha256_hex"]


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
