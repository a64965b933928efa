"""How far this folder has read a target's log, so that the next run reads on from there: ``.ship/state/<target>.json``.

A cache of a cache: where it is gone, or does not fit the journal beside it, the log is read from its beginning.
"""

from __future__ import annotations

from pathlib import Path

from chains.canonical import pretty
from chains.files import write_atomic
from chains.jsontext import read_json
from pipeline.state.local import TargetState
from pipeline.state.shared.segments import Chain

__all__ = ["load_marker", "save_marker"]


def _path(state: TargetState) -> Path:
    return state.project.work / "state" / f"{state.name}.json"


def load_marker(state: TargetState, bucket: str) -> Chain:
    """What was read of this target's log in ``bucket``; nothing where that is not known."""
    try:
        data = read_json(_path(state).read_bytes())
        if data["schema"] != 1 or data["bucket"] != bucket:
            return Chain()
        numbers = [data[name] for name in ("segments", "rows", "fence")]
        if not all(type(number) is int and number >= 0 for number in numbers):
            return Chain()
        segments, rows, fence = numbers
        return Chain(segments, str(data["digest"]), rows, str(data["head"]), fence, dict(data["files"]))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return Chain()


def save_marker(state: TargetState, bucket: str, chain: Chain) -> None:
    write_atomic(
        _path(state),
        pretty(
            {
                "bucket": bucket,
                "digest": chain.digest,
                "fence": chain.fence,
                "files": dict(chain.files),
                "head": chain.head,
                "rows": chain.rows,
                "schema": 1,
                "segments": chain.segments,
            }
        ),
    )
