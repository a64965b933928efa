"""Checks on every value of a manifest, wherever it stands: numbers, addresses, characters, secrets."""

from __future__ import annotations

import datetime as dt
import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from chains.errors import Where
from chains.evm.hashing import checksum
from pipeline.manifest.characters import suspicion
from pipeline.manifest.errors import (
    MAX_PROBLEMS,
    BadAddress,
    BadNumber,
    ManifestInvalid,
    SuspectCharacter,
    WrongType,
)
from pipeline.manifest.literal_secrets import literal_secret
from pipeline.manifest.positions import Path

__all__ = ["UINT256_MAX", "address_problem", "guard_values"]

UINT256_MAX = 2**256 - 1
INT256_MIN = -(2**255)

Locate = Callable[[Path], Where]

_ADDRESS = re.compile(r"(?<![0-9A-Za-z])0[xX][0-9a-fA-F]{39,41}(?![0-9A-Za-z])")


def address_problem(text: str) -> tuple[str, str] | None:
    """Cause and remedy for the first thing in ``text`` that looks like an address and is none."""
    for match in _ADDRESS.finditer(text):
        found = match.group()
        if len(found) != 42:
            return f"{found} has {len(found) - 2} hex digits; an address has 40.", "Copy the address again, whole."
        if found[2:] == found[2:].lower() and found[1] == "x":
            continue
        right = checksum(found[2:])
        if found != right:
            return (
                f"{found} has a wrong EIP-55 checksum: a digit may be mistyped.",
                f"Copy the address again from its source. If you are sure of every digit, write {right}.",
            )
    return None


def guard_values(data: Mapping[str, Any], locate: Locate) -> Iterator[ManifestInvalid]:
    """Every problem in ``data``, at most ``MAX_PROBLEMS``."""
    yield from itertools.islice(_walk(data, (), locate), MAX_PROBLEMS)


def _walk(value: Any, path: Path, locate: Locate) -> Iterator[ManifestInvalid]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _text(key, (*path, key), locate)
            yield from _walk(item, (*path, key), locate)
        return
    secret = literal_secret(path, value)
    if secret:
        yield secret(locate(path))
        return
    if isinstance(value, tuple):
        for position, item in enumerate(value):
            yield from _walk(item, (*path, position), locate)
    elif isinstance(value, str):
        yield from _text(value, path, locate)
    else:
        yield from _scalar(value, path, locate)


def _scalar(value: Any, path: Path, locate: Locate) -> Iterator[ManifestInvalid]:
    if isinstance(value, float):
        yield BadNumber(
            "This is a floating-point number: it is not exact.",
            remedy='Write an integer, or an amount with its unit in quotes, such as "0.05 ether".',
            where=locate(path),
        )
    elif isinstance(value, int) and not isinstance(value, bool):
        if not INT256_MIN <= value <= UINT256_MAX:
            yield BadNumber(
                "This integer fits no EVM type: it is outside -2^255 … 2^256-1.",
                remedy="Check the number of digits.",
                where=locate(path),
            )
    elif isinstance(value, dt.date | dt.time):
        yield WrongType(
            "This is a TOML date; no key takes one.",
            remedy="Write a Unix time in seconds as an integer, or put it in quotes.",
            where=locate(path),
        )


def _text(text: str, path: Path, locate: Locate) -> Iterator[ManifestInvalid]:
    found = suspicion(text)
    if found:
        yield SuspectCharacter(
            f"The text holds {found[1]} (written as an escape): it may read differently from what it says.",
            remedy="Delete the character, or type the word again in one script.",
            where=locate(path),
        )
        return
    wrong = address_problem(text)
    if wrong:
        yield BadAddress(wrong[0], remedy=wrong[1], where=locate(path))
