"""The write-ahead journal: append-only, fsynced, hash-chained (design §4, laws 1 and 5).

One JSON object a line::

    {"at":…,"data":{…},"hash":…,"kind":…,"prev":…,"seq":…}

``hash`` is the sha256 of the canonical JSON of the row without ``hash``; ``prev`` is the hash of the row before (64
zeros for the first). A changed, missing or reordered row breaks the chain and is refused. Only the last row can be
torn by a crash: it then lacks its newline. Torn and incomplete, it is set aside (it was never acted on, because
``append`` had not returned); torn and whole, it is kept. Rows appended together share one write and one fsync; of a
group cut off by a crash the whole rows count, each by itself.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from chains.base import Row
from chains.canonical import canonical, sha256_hex
from chains.errors import Refused, Resumable, Where
from chains.files import fsync_folder, make_folder
from chains.jsontext import read_json

__all__ = ["GENESIS", "Journal", "JournalCorrupt", "JournalUnwritable", "read_rows"]

GENESIS = "0" * 64
_GROUP_BYTES = 1 << 20
"""What one write and fsync may hold, a single longer row apart: so much is written again when a journal is opened."""
_FIELDS = {"at", "data", "hash", "kind", "prev", "seq"}


class JournalCorrupt(Refused):
    """SHIP-J01: the journal on disk is not the one that was written."""

    code = "SHIP-J01"


class JournalUnwritable(Resumable):
    """SHIP-J02: a row could not be made durable; nothing that needed it was done."""

    code = "SHIP-J02"


def _row_hash(body: Mapping[str, Any]) -> str:
    return sha256_hex(canonical({key: value for key, value in body.items() if key != "hash"}))


def _corrupt(path: Path, line: int, what: str) -> JournalCorrupt:
    return JournalCorrupt(
        f"the journal is damaged: {what}",
        where=Where(str(path), line),
        remedy="Restore the file from version control or a backup. Do not edit it: it is what keeps ship from sending "
        "anything twice.",
    )


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = dict(pairs)
    if len(keys) != len(pairs):
        raise ValueError("a key occurs twice")
    return keys


def _parse(path: Path, number: int, line: bytes, prev: str) -> tuple[Row, str]:
    """Row and hash of one whole line. Raises ``JournalCorrupt``."""
    try:
        body = read_json(line, _no_duplicates)
    except ValueError as error:
        raise _corrupt(path, number, f"row {number} is not JSON ({error})") from error
    if not isinstance(body, dict) or set(body) != _FIELDS:
        raise _corrupt(path, number, f"row {number} has other fields than a journal row")
    try:
        sound = body["hash"] == _row_hash(body) and canonical(body) == line
    except (TypeError, ValueError, RecursionError) as error:
        raise _corrupt(path, number, f"row {number} holds what no row can: {error}") from error
    if not sound:
        raise _corrupt(path, number, f"row {number} does not match its hash")
    if body["prev"] != prev or body["seq"] != number - 1:
        raise _corrupt(path, number, f"row {number} does not follow the row before it")
    return Row(body["seq"], body["at"], body["kind"], body["data"]), body["hash"]


def _is_torn(tail: bytes) -> bool:
    """Whether ``tail`` can be the beginning of a row cut off by a crash: incomplete, not complete and changed."""
    text = tail.decode("utf-8", errors="ignore")
    # A row is one object: no prefix of it is complete. What follows a complete one is damage.
    end = text.rfind("}") + 1
    try:
        read_json(text[:end].encode())
    except ValueError:
        return True
    return False


def read_rows(path: Path, data: bytes, *, first: int = 0, prev: str = GENESIS) -> tuple[list[Row], str, int]:
    """``(rows, hash of the last row, bytes of data that hold them)``. Raises ``JournalCorrupt``.

    The last figure is less than ``len(data)`` when the file ends in a torn row, and more by one when the last row
    is whole and lacks only its newline. For rows out of the middle, ``first`` is the number of rows before them and
    ``prev`` the hash of the last of those.
    """
    rows: list[Row] = []
    used = 0
    lines = data.split(b"\n")
    for number, line in enumerate(lines[:-1], start=first + 1):
        row, prev = _parse(path, number, line, prev)
        rows.append(row)
        used += len(line) + 1
    tail = lines[-1]
    if tail and not _is_torn(tail):
        row, prev = _parse(path, first + len(lines), tail, prev)
        rows.append(row)
        used += len(tail) + 1
    return rows, prev, used


class Journal:
    """The journal of one target, open for appending. The caller holds the target's lock.

    ``append`` returns when the row is durable. After a failed write or fsync the journal is closed for good: the
    kernel may have dropped the pages, so a second fsync proves nothing (fault 51).
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._failed = False
        self._first: Callable[[Sequence[Row], bytes, str], None] | None = None
        try:
            make_folder(path.parent)
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise self._unwritable(error.strerror or str(error)) from error
        try:
            self._rows, self._head = self._recover()
        except OSError as error:
            os.close(self._descriptor)
            raise self._unwritable(error.strerror or str(error)) from error
        except BaseException:
            os.close(self._descriptor)
            raise

    @property
    def rows(self) -> Sequence[Row]:
        return self._rows

    @property
    def head(self) -> str:
        """Hash of the last row; names everything before it."""
        return self._head

    def write_first(self, accept: Callable[[Sequence[Row], bytes, str], None]) -> None:
        """From now on a group is this file's only after ``accept`` took it: its rows, its bytes, the hash of its last row.

        When that raises, the journal is closed for good: whether the group was taken is for the next run to find out.
        """
        self._first = accept

    def take(self, blob: bytes) -> None:
        """Append whole rows that were accepted elsewhere. Raises ``JournalCorrupt`` and ``JournalUnwritable``."""
        if self._failed:
            raise self._unwritable("an earlier write failed")
        rows, head, used = read_rows(self.path, blob, first=len(self._rows), prev=self._head)
        if used != len(blob):
            raise _corrupt(self.path, len(self._rows) + len(rows) + 1, "what is to be added ends inside a row")
        if rows:
            self._write(blob)
            self._rows += rows
            self._head = head

    def _recover(self) -> tuple[list[Row], str]:
        """Read what is there and make sure that it is on disk before anyone acts on it.

        The run before may have ended between a write and its fsync, or by a failed fsync after which the kernel holds
        the pages for clean. So the last group is written once more, over itself: only then does an fsync speak for it.
        """
        data = self.path.read_bytes()
        rows, head, used = read_rows(self.path, data)
        if used < len(data):
            self._set_aside(data[used:])
            os.ftruncate(self._descriptor, used)
        whole = data[:used] if used <= len(data) else data + b"\n"
        last_row = whole.rfind(b"\n", 0, max(used - 1, 0)) + 1
        start = min(last_row, whole.rfind(b"\n", 0, max(used - _GROUP_BYTES, 0)) + 1)
        if os.pwrite(self._descriptor, whole[start:], start) != used - start:
            raise OSError("short write")
        os.fsync(self._descriptor)
        fsync_folder(self.path.parent)
        self._size = used
        return rows, head

    def _set_aside(self, torn: bytes) -> None:
        """Keep what is cut off, for people to look at."""
        aside = self.path.with_name(f"{self.path.name}.torn-{sha256_hex(torn)[:12]}")
        aside.write_bytes(torn)

    def append(self, kind: str, data: Mapping[str, Any]) -> Row:
        """Add one row and make it durable. Raises ``JournalUnwritable``."""
        return self.append_all([(kind, data)])[0]

    def append_all(self, entries: Sequence[tuple[str, Mapping[str, Any]]]) -> list[Row]:
        """Add rows and make them durable, as few writes and fsyncs as they fit in. Raises ``JournalUnwritable``."""
        if self._failed:
            raise self._unwritable("an earlier write failed")
        made = self._made(entries)
        begin = 0
        while begin < len(made):
            end, size = begin + 1, len(made[begin][1])
            while end < len(made) and size + len(made[end][1]) <= _GROUP_BYTES:
                size += len(made[end][1])
                end += 1
            group = [row for row, _, _ in made[begin:end]]
            blob, head = b"".join(line for _, line, _ in made[begin:end]), made[end - 1][2]
            if self._first is not None:
                self._failed = True  # until both have it
                self._first(group, blob, head)
            self._write(blob)
            self._rows += group
            self._head = head
            begin = end
        return [row for row, _, _ in made]

    def _made(self, entries: Sequence[tuple[str, Mapping[str, Any]]]) -> list[tuple[Row, bytes, str]]:
        """``(row, its line, its hash)`` of each, following what is there. Raises ``TypeError`` for what is not plain JSON."""
        made = []
        head = self._head
        for seq, (kind, data) in enumerate(entries, start=len(self._rows)):
            at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            body = {"at": at, "data": dict(data), "kind": kind, "prev": head, "seq": seq}
            head = _row_hash(body)
            line = canonical({**body, "hash": head})
            made.append((Row(seq, at, kind, json.loads(line)["data"]), line + b"\n", head))
        return made

    def _write(self, blob: bytes) -> None:
        self._failed = True  # until it has succeeded: an interrupt in the middle leaves a row nobody may build on
        try:
            written = os.pwrite(self._descriptor, blob, self._size)
            if written != len(blob):
                raise OSError(f"short write: {written} of {len(blob)} bytes")
            os.fsync(self._descriptor)
        except OSError as error:
            raise self._unwritable(error.strerror or str(error)) from error
        self._size += len(blob)
        self._failed = False

    def _unwritable(self, why: str) -> JournalUnwritable:
        return JournalUnwritable(
            f"a journal row could not be written: {why}",
            where=Where(str(self.path)),
            done="Nothing that needed this row was signed or sent.",
            remedy="Free space or repair the disk, then run the same command again.",
        )

    def close(self) -> None:
        os.close(self._descriptor)
