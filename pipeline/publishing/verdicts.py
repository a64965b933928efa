"""The journal's rows about sources, read back; apart from the clients, which are slow to import."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from chains.base import Row

__all__ = ["SUBMITTED", "VERDICT", "key_of", "newest_verdicts"]

SUBMITTED, VERDICT = "verify.submitted", "verify.verdict"


def newest_verdicts(rows: Iterable[Row]) -> dict[tuple[str, str, str, str], Mapping[str, Any]]:
    """``(service, what, address, of)`` → the data of the newest verdict."""
    return {key_of(row): row.data for row in rows if row.kind == VERDICT}


def key_of(row: Row) -> tuple[str, str, str, str]:
    return row.data["service"], row.data["what"], row.data["address"].lower(), row.data["of"].lower()
