"""What an answer of the Etherscan dialect means, by its words: ``status`` is not to be believed.

``Pending in queue`` comes with status 0, Blockscout's ``Fail - Unable to verify`` with status 1. Services word one thing in
several ways; every phrase here was seen in an answer or in a service's documentation.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

__all__ = ["Meaning", "is_ticket", "may_lack_sources", "meaning", "words"]

Meaning = Literal[
    "too often",
    "key",
    "stopped",
    "not indexed",
    "already",
    "pending",
    "no ticket",
    "passed",
    "failed",
    "later",
    "other",
]

# In this order: the first phrase that occurs decides.
_PHRASES: tuple[tuple[str, Meaning], ...] = (
    ("invalid api key", "key"),
    ("missing/invalid api key", "key"),
    ("missing api key", "key"),
    ("daily rate limit", "stopped"),
    ("daily limit", "stopped"),
    ("max rate limit", "too often"),
    ("rate limit", "too often"),
    ("max calls per sec", "too often"),
    ("too many requests", "too often"),
    ("free api access is not supported", "stopped"),
    ("upgrade your api plan", "stopped"),
    ("unsupported chainid", "stopped"),
    ("deprecated v1 endpoint", "stopped"),
    ("unable to locate contractcode", "not indexed"),
    ("contract was not indexed", "not indexed"),
    ("is not a smart contract", "not indexed"),
    ("is not a smart-contract", "not indexed"),
    ("source code not verified", "other"),
    ("not found or is not verified", "other"),
    ("already verified", "already"),
    ("unknown uid", "no ticket"),
    ("unknown guid", "no ticket"),
    ("invalid guid", "no ticket"),
    ("fail - ", "failed"),
    ("invalid constructor", "failed"),
    ("invalid contract", "failed"),
    ("invalid compiler", "failed"),
    ("not detected", "failed"),
    ("pass - verified", "passed"),
    ("successfully updated", "passed"),
    ("in queue", "pending"),
    ("verification in progress", "pending"),
    ("already submitted", "pending"),
    ("already being verified", "pending"),
    ("duplicate verification", "pending"),
    ("duplicate submission", "pending"),
    ("server too busy", "later"),
    ("query timeout", "later"),
    ("timeout occured", "later"),
    ("try again", "later"),
    ("temporarily", "later"),
    ("something went wrong", "later"),
    ("unexpected err", "later"),
    ("internal server error", "later"),
)
_TICKET = re.compile(r"[A-Za-z0-9_-]{8,200}")


def words(value: Any) -> str | None:
    """The text that decides: ``result``, or ``message`` where a service leaves the result out (Blockscout's errors)."""
    if not isinstance(value, Mapping):
        return None
    result, message = value.get("result"), value.get("message")
    if isinstance(result, str) and result.strip():
        return result
    if result is None and isinstance(message, str) and message.strip().upper() not in {"", "OK", "NOTOK"}:
        return message
    return None


def meaning(text: str) -> Meaning:
    lower = " ".join(text.lower().split())
    if lower.startswith("pending"):
        return "pending"
    return next((meant for phrase, meant in _PHRASES if phrase in lower), "other")


def is_ticket(text: str) -> bool:
    """Whether ``text`` is a guid and not a sentence: Etherscan's is 50 letters and digits, Blockscout's hexadecimal."""
    return _TICKET.fullmatch(text) is not None


def may_lack_sources(text: str) -> bool:
    """Whether a failure can come from an input that is too small: it did not compile, or gave other code.

    Etherscan's mismatch names the constructor's arguments too, as a guess; a wrong name or argument alone is no such case.
    """
    lower = text.lower()
    if "not match" in lower or "compil" in lower or "not found" in lower:
        return "contract name" not in lower and "compiler version" not in lower
    return "unable to verify" in lower and "constructor" not in lower and "contract name" not in lower
