"""The Slither baseline: findings someone looked at and accepted, each with a reason and a name.

    {"schema": 1, "accepted": [{"id": "…", "check": "unused-return", "impact": "Medium",
                                "where": "src/Vault.sol#L178-L182", "reason": "…", "by": "…"}]}

``id`` is Slither's, a digest over the check and the code it points to; it does not change when lines move.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from chains.errors import Refused, Where

__all__ = ["Accepted", "BaselineInvalid", "read_baseline"]

_KEYS = ("id", "check", "impact", "where", "reason", "by")


class BaselineInvalid(Refused):
    """SHIP-G03: the baseline of accepted findings cannot be used."""

    code = "SHIP-G03"


@dataclass(frozen=True)
class Accepted:
    """One accepted finding."""

    id: str
    check: str
    impact: str
    where: str
    reason: str
    by: str


def read_baseline(path: Path) -> tuple[Accepted, ...]:
    """Raises ``BaselineInvalid``: not JSON, another schema, a key missing or unknown, an id twice, no reason, no name."""
    try:
        data = json.loads(path.read_bytes())
    except OSError as error:
        raise _invalid(path, f"cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise _invalid(path, f"is not JSON: {error}") from error
    if not isinstance(data, dict) or data.get("schema") != 1 or not isinstance(data.get("accepted"), list):
        raise _invalid(path, 'has not the form {"schema": 1, "accepted": […]}')
    accepted = tuple(_entry(path, number, entry) for number, entry in enumerate(data["accepted"], 1))
    ids = [entry.id for entry in accepted]
    for finding in ids:
        if ids.count(finding) > 1:
            raise _invalid(path, f"accepts {finding} twice")
    return accepted


def _entry(path: Path, number: int, entry: object) -> Accepted:
    if not isinstance(entry, dict):
        raise _invalid(path, f"has an entry {number} that is not an object")
    if unknown := sorted(set(entry) - set(_KEYS)):
        raise _invalid(path, f"has an unknown key `{unknown[0]}` in entry {number}")
    for key in _KEYS:
        value = entry.get(key)
        if not isinstance(value, str) or not value.strip():
            raise _invalid(
                path, f"has no `{key}` in entry {number} ({entry.get('check') or entry.get('id') or 'unnamed'})"
            )
    return Accepted(**{key: entry[key].strip() for key in _KEYS})


def _invalid(path: Path, what: str) -> BaselineInvalid:
    return BaselineInvalid(
        f"the baseline {path.name} {what}",
        where=Where(str(path)),
        remedy="Every accepted finding needs id, check, impact, where, reason (why it is no danger) and by (who says so).",
    )
