"""The log in the bucket: numbered segments, each a group of journal rows, each naming the one before by its digest.

    <prefix>/targets/<target>/segments/0000000042

The first line is a header, the rest are the journal's own lines, byte for byte::

    {"fence":3,"files":{…},"kind":"contract-ship/segment","number":42,"prev":…,"run":…,"schema":1,"seq":117}

``seq`` is the number of rows before, ``fence`` the fencing number of the lease it was written under, ``run`` whose it is,
``files`` what lies beside the journal now: path → sha256. A segment without rows marks a takeover (``fence`` grew) or
files alone. A number is written once (``If-None-Match: *``), so the highest number is the head of the log.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from chains.base import Row
from chains.canonical import canonical, sha256_hex
from chains.errors import Where
from chains.jsontext import read_json
from pipeline.journal import GENESIS, JournalCorrupt, read_rows
from pipeline.state.shared.bucket import Bucket
from pipeline.state.shared.errors import SharedStateDamaged

__all__ = ["Chain", "Segment", "log_after", "made", "segment_key"]

KIND = "contract-ship/segment"
_KEYS = {"fence", "files", "kind", "number", "prev", "run", "schema", "seq"}
_AT_ONCE = 8


def _folder(target: str) -> str:
    return f"targets/{target}/segments/"


def segment_key(target: str, number: int) -> str:
    return f"{_folder(target)}{number:010d}"


@dataclass(frozen=True)
class Segment:
    """One object of the log, read."""

    number: int
    fence: int
    run: str
    prev: str
    seq: int
    files: Mapping[str, str]
    lines: bytes
    digest: str


@dataclass(frozen=True)
class Chain:
    """What a log comes to, as far as it was read: ``segments`` and ``rows`` are counts, the digests name the last of each."""

    segments: int = 0
    digest: str = GENESIS
    rows: int = 0
    head: str = GENESIS
    fence: int = 0
    files: Mapping[str, str] = field(default_factory=dict)

    def then(self, segment: Segment, key: str) -> tuple[Chain, list[Row]]:
        """The chain with one more segment, and its rows. Raises ``SharedStateDamaged``."""
        follows = (segment.number, segment.prev, segment.seq) == (self.segments, self.digest, self.rows)
        if not follows or segment.fence < self.fence:
            raise _damaged(key, "it does not follow the segment before it")
        try:
            rows, head, used = read_rows(Path(key), segment.lines, first=self.rows, prev=self.head)
        except JournalCorrupt as error:
            raise _damaged(key, error.cause) from error
        if used != len(segment.lines):
            raise _damaged(key, "it ends inside a row")
        grown = replace(
            self,
            segments=self.segments + 1,
            digest=segment.digest,
            rows=self.rows + len(rows),
            head=head,
            fence=segment.fence,
            files={**self.files, **segment.files},
        )
        return grown, rows


def made(chain: Chain, *, fence: int, run: str, files: Mapping[str, str], lines: bytes) -> bytes:
    """The bytes of the segment that follows ``chain``."""
    header = {
        "fence": fence,
        "files": dict(files),
        "kind": KIND,
        "number": chain.segments,
        "prev": chain.digest,
        "run": run,
        "schema": 1,
        "seq": chain.rows,
    }
    return canonical(header) + b"\n" + lines


def parsed(key: str, data: bytes) -> Segment:
    """Raises ``SharedStateDamaged``."""
    line, found, rest = data.partition(b"\n")
    try:
        header = read_json(line)
        whole = found and isinstance(header, dict) and set(header) == _KEYS and canonical(header) == line
        if not whole or header["kind"] != KIND or header["schema"] != 1:
            raise ValueError("another kind of object")
        numbers = [header[name] for name in ("fence", "number", "seq")]
        texts = [header["prev"], header["run"], *header["files"], *header["files"].values()]
        if not all(type(n) is int and n >= 0 for n in numbers) or not all(isinstance(t, str) for t in texts):
            raise ValueError("a field of another type")
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise _damaged(key, f"it is no segment ({error})") from error
    return Segment(
        header["number"], header["fence"], header["run"], header["prev"], header["seq"], header["files"], rest,
        sha256_hex(data),
    )  # fmt: skip


def log_after(bucket: Bucket, target: str, chain: Chain) -> tuple[Chain, list[Segment]]:
    """Everything written behind ``chain``. Raises ``SharedStateDamaged``, and what asking the bucket raises."""
    # From the last one that was read, which must still be there: a bucket that was emptied is no log without news.
    first = max(chain.segments - 1, 0)
    keys = bucket.list_after(_folder(target), f"{first - 1:010d}" if first else "")
    wanted = [segment_key(target, number) for number in range(first, first + len(keys))]
    if keys != wanted or len(keys) < chain.segments - first:
        missing = next(
            (due for found, due in zip(keys, wanted, strict=True) if found != due), segment_key(target, first)
        )
        raise _damaged(missing, "this segment is missing")
    keys = keys[chain.segments - first :]
    segments = [parsed(key, data) for key, data in _fetched(bucket, keys)]
    for key, segment in zip(keys, segments, strict=True):
        chain, _ = chain.then(segment, key)
    return chain, segments


def _fetched(bucket: Bucket, keys: Sequence[str]) -> Iterable[tuple[str, bytes]]:
    def fetch(key: str) -> tuple[str, bytes]:
        stored = bucket.get(key)
        if stored is None:
            raise _damaged(key, "it is listed and cannot be read")
        return key, stored.data

    if len(keys) <= 1:
        return [fetch(key) for key in keys]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(fetch, keys))


def _damaged(key: str, what: str) -> SharedStateDamaged:
    return SharedStateDamaged(
        f"the shared journal is damaged: {what}",
        where=Where(key),
        remedy="Restore that object's earlier version in the bucket (versioning keeps them); `ship state fsck` reads everything.",
    )
