"""What every store of secrets has in common: how it fails, and what a value may be.

A store never says a value, nor a library's or a server's own words that could hold one.
"""

from __future__ import annotations

import json
from typing import Any, Protocol

from chains.jsontext import refuse_deep

__all__ = ["MAX_SECRET_BYTES", "NoAnswer", "NotGiven", "NotInstalled", "Vaulted", "field_of", "tidied", "with_field"]

MAX_SECRET_BYTES = 64 * 1024


class NotGiven(LookupError):
    """The store lives, and does not give this secret. ``remedy`` says what would make it."""

    def __init__(self, reason: str, remedy: str | None = None) -> None:
        super().__init__(reason)
        self.remedy = remedy


class NoAnswer(Exception):
    """The store did not answer, or is overloaded, or our login to it has ended: later it may."""


class NotInstalled(Exception):
    """What reads this store is not installed here. ``remedy`` says how to get it."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(reason)
        self.remedy = remedy


class Vaulted(Protocol):
    """One kind of store, open. Raises ``NotGiven``, ``NoAnswer`` or ``NotInstalled``."""

    def parse(self, rest: str) -> tuple[str, str | None]:
        """``(name, field)`` of what stands behind the scheme. Names are what is fetched, once a run."""
        ...

    def fetch(self, name: str) -> str:
        """The text kept under ``name``: JSON where a field is wanted of it."""
        ...


def with_field(rest: str, form: str) -> tuple[str, str]:
    """``NAME#FIELD`` taken apart at its last ``#``."""
    name, mark, field = rest.rpartition("#")
    if not (mark and name and field):
        raise NotGiven("the reference names no field", f"Write it as {form}.")
    return name, field


def field_of(text: str, field: str) -> str:
    """The text or number under ``field`` of a JSON object: a key as it stands, else a path of keys joined by dots."""
    try:
        refuse_deep(text.encode())
        # Numbers stay as written: 1e3 is no other spelling of a PIN.
        value: Any = json.loads(text, parse_int=str, parse_float=str, parse_constant=str)
    except ValueError:
        raise NotGiven("it is not JSON, so it has no fields", "Leave #FIELD away, or store a JSON object.") from None
    for key in (field,) if isinstance(value, dict) and field in value else field.split("."):
        if isinstance(value, list) and key.isdecimal() and len(key) < 6 and int(key) < len(value):
            value = value[int(key)]
        elif isinstance(value, dict) and key in value:
            value = value[key]
        else:
            raise NotGiven(f"it has no field {field}")
    if not isinstance(value, str):
        raise NotGiven(f"its field {field} is neither text nor a number")
    return value


def tidied(value: str) -> str:
    """``value`` without one final newline. Raises ``NotGiven`` for one that is empty or no secret by its size."""
    if len(value) > MAX_SECRET_BYTES:
        raise NotGiven("it is larger than 64 KiB")
    value = value.removesuffix("\n").removesuffix("\r")
    if not value.strip():
        raise NotGiven("it is empty")
    return value
