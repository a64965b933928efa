"""JSON from outside, read without risk to the process.

CPython's JSON scanner recurses in C. Its guard is the recursion limit, which a library may have raised for the whole
process (py_ecc, behind eth-account, sets 100,000): a reply of a few hundred thousand brackets then ends it with a
segmentation fault. So nesting is measured before anything is parsed.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable
from typing import Any

__all__ = ["read_json", "refuse_deep"]

MAX_NESTING = 200
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"?', re.DOTALL)
_NOT_BRACKETS = bytes(b for b in range(256) if b not in b"[]{}")
_STEP = [{0x5B: 1, 0x7B: 1, 0x5D: -1, 0x7D: -1}.get(b, 0) for b in range(256)]


def _nesting(data: bytes) -> int:
    if data.count(b"[") + data.count(b"{") <= MAX_NESTING:
        return 0
    brackets = _STRING.sub(b"", data).translate(None, _NOT_BRACKETS)
    return max(itertools.accumulate(map(_STEP.__getitem__, brackets)), default=0)


def refuse_deep(data: bytes) -> None:
    """For whoever parses by other rules. Raises ``ValueError`` on absurd nesting."""
    if _nesting(data) > MAX_NESTING:
        raise ValueError(f"JSON nested more than {MAX_NESTING} deep")


def read_json(data: bytes, pairs: Callable[[list[tuple[str, Any]]], Any] | None = None) -> Any:
    """Parse UTF-8 JSON; ``pairs`` makes objects of their members. Raises ``ValueError``, also on absurd nesting."""
    refuse_deep(data)
    return json.loads(data.decode("utf-8"), object_pairs_hook=pairs)
