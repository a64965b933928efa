"""Where two JSON documents differ, place by place."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

__all__ = ["places"]

_MOST = 12
_LONG = 140


def places(pack: bytes, ours: bytes) -> list[str]:
    """``path: the pack has X, recomputed Y`` for each place; the first dozen, and how many more there are.

    What is no JSON is compared line by line.
    """
    try:
        found = list(_walk(json.loads(pack), json.loads(ours), ""))
    except (ValueError, RecursionError):
        found = list(_lines(pack, ours))
    more = [f"and {len(found) - _MOST} more places"] if len(found) > _MOST else []
    return [*found[:_MOST], *more]


def _walk(pack: Any, ours: Any, path: str) -> Iterator[str]:
    if isinstance(pack, dict) and isinstance(ours, dict):
        for key in sorted({*pack, *ours}):
            place = f"{path}.{key}" if path else key
            if key not in ours:
                yield f"{place}: only the pack has it, {_short(pack[key])}"
            elif key not in pack:
                yield f"{place}: missing from the pack, {_short(ours[key])}"
            else:
                yield from _walk(pack[key], ours[key], place)
    elif isinstance(pack, list) and isinstance(ours, list):
        for index in range(max(len(pack), len(ours))):
            place = f"{path}[{index}]"
            if index >= len(ours):
                yield f"{place}: only the pack has it, {_short(pack[index])}"
            elif index >= len(pack):
                yield f"{place}: missing from the pack, {_short(ours[index])}"
            else:
                yield from _walk(pack[index], ours[index], place)
    elif pack != ours or type(pack) is not type(ours):
        yield f"{path}: the pack has {_short(pack)}, recomputed {_short(ours)}"


def _lines(pack: bytes, ours: bytes) -> Iterator[str]:
    theirs, mine = (data.decode(errors="replace").split("\n") for data in (pack, ours))
    for number in range(max(len(theirs), len(mine))):
        left = theirs[number] if number < len(theirs) else None
        right = mine[number] if number < len(mine) else None
        if left != right:
            yield f"line {number + 1}: the pack has {_short(left)}, recomputed {_short(right)}"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=True, sort_keys=True)
    return text if len(text) <= _LONG else f"{text[:_LONG]}… ({len(text)} characters)"
