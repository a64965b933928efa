"""Which records there are."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chains.errors import Refused
from pipeline.record import load_record

__all__ = ["RecordFile", "RecordNotFound", "find_records", "load"]

_NAME = re.compile(r"([A-Za-z][A-Za-z0-9_-]*)(?:\.(\d+))?\.json")


class RecordNotFound(Refused):
    """SHIP-R02: there is no record of that tag or target."""

    code = "SHIP-R02"


@dataclass(frozen=True)
class RecordFile:
    """A record's file. A version released again on a local chain gives revisions 2, 3 …"""

    path: Path
    tag: str
    target: str
    revision: int

    def shown(self, root: Path) -> str:
        return self.path.relative_to(root).as_posix()


def load(file: RecordFile) -> Mapping[str, Any]:
    """The record in ``file``. Raises ``RecordInvalid``."""
    return load_record(file.path)


def find_records(root: Path, tag: str | None = None, target: str | None = None) -> list[RecordFile]:
    """Records below ``root/releases``, in the order of their tags' and targets' names; ``v`` before a version may be left out.

    Raises ``RecordNotFound`` when a tag or target is named and there is none of it.
    """
    found = [_file(path) for path in sorted((root / "releases").glob("*/*.json"))]
    records = sorted((f for f in found if f is not None), key=lambda f: (_order(f.tag), f.target, f.revision))
    chosen = [
        f for f in records if (tag is None or f.tag in {tag, f"v{tag}"}) and (target is None or f.target == target)
    ]
    if not chosen and (tag is not None or target is not None):
        raise _not_found(records, tag, target)
    return chosen


def _file(path: Path) -> RecordFile | None:
    match = _NAME.fullmatch(path.name)
    return RecordFile(path, path.parent.name, match[1], int(match[2] or 1)) if match else None


def _order(tag: str) -> tuple[Any, ...]:
    """SemVer's order; what is no version comes first."""
    from semver import Version

    try:
        return (1, Version.parse(tag.removeprefix("v")), tag)
    except ValueError:
        return (0, tag)


def _not_found(records: list[RecordFile], tag: str | None, target: str | None) -> RecordNotFound:
    what = " ".join(
        part for part in ("no record", f"of {tag}" if tag else "", f"on {target}" if target else "") if part
    )
    tags = sorted({f.tag for f in records})
    near = difflib.get_close_matches(f"v{(tag or '').removeprefix('v')}", tags, n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    known = f"There are: {', '.join(sorted({f'{f.tag} on {f.target}' for f in records}))}." if records else ""
    return RecordNotFound(
        f"there is {what}.{hint}", remedy=known or "A record is written when `ship deploy` is done; there is none yet."
    )
