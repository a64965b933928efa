"""The journal keeps what it was given, or says that it does not."""

from __future__ import annotations

import errno
import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chains.canonical import canonical, sha256_hex
from pipeline.journal import GENESIS, Journal, JournalCorrupt, JournalUnwritable, read_rows

ROWS: list[tuple[str, dict[str, Any]]] = [
    ("open", {"chain_id": 31337, "genesis_hash": "0x" + "ab" * 32}),
    ("tx.reserved", {"nonce": 0, "fees": {"max": 10**20, "priority": None}}),
    ("tx.signed", {"raw": "0x02" + "f8" * 40, "note": "J*\n\x1b ünï \U0001f600"}),
    ("tx.final", {"list": [1, "two", [True, None]]}),
]


def written(path: Path, rows: list[tuple[str, dict[str, Any]]] = ROWS) -> bytes:
    journal = Journal(path)
    for kind, data in rows:
        journal.append(kind, data)
    journal.close()
    return path.read_bytes()


def content(journal: Journal) -> list[tuple[str, Any]]:
    return [(row.kind, row.data) for row in journal.rows]


def test_what_was_appended_is_there_again(tmp_path: Path) -> None:
    written(tmp_path / "deep" / "er" / "journal.jsonl")
    journal = Journal(tmp_path / "deep" / "er" / "journal.jsonl")
    assert content(journal) == ROWS
    assert [row.seq for row in journal.rows] == [0, 1, 2, 3]
    journal.close()


def test_rows_are_chained(tmp_path: Path) -> None:
    lines = [json.loads(line) for line in written(tmp_path / "j").splitlines()]
    assert [line["prev"] for line in lines] == [GENESIS, *(line["hash"] for line in lines[:-1])]


def test_52_a_cut_at_every_byte_recovers_and_goes_on(tmp_path: Path) -> None:
    data = written(tmp_path / "whole")
    ends = [i + 1 for i, byte in enumerate(data) if byte == 0x0A]
    path = tmp_path / "cut"
    for size in range(len(data) + 1):
        path.write_bytes(data[:size])
        journal = Journal(path)
        # A row is kept when all of it but the newline is there; the rest of a torn one is set aside.
        kept = sum(end - 1 <= size for end in ends)
        assert content(journal) == ROWS[:kept], size
        journal.append("after", {"cut": size})
        journal.close()
        rows, _, used = read_rows(path, path.read_bytes())
        assert (len(rows), used) == (kept + 1, path.stat().st_size)
        torn = data[ends[kept - 1] if kept else 0 : size]
        aside = path.with_name(f"{path.name}.torn-{sha256_hex(torn)[:12]}")
        assert (
            aside.read_bytes() if torn and kept < len(ends) and size > (ends[kept - 1] if kept else 0) else torn
        ) == torn


def test_53_every_flipped_bit_is_refused(tmp_path: Path) -> None:
    data = written(tmp_path / "j")
    for position in range(len(data)):
        for bit in range(8):
            flipped = bytearray(data)
            flipped[position] ^= 1 << bit
            with pytest.raises(JournalCorrupt):
                read_rows(tmp_path / "j", bytes(flipped))


def test_a_refused_journal_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "j"
    data = bytearray(written(path))
    data[10] ^= 1
    path.write_bytes(data)
    with pytest.raises(JournalCorrupt) as caught:
        Journal(path)
    assert caught.value.exit_code == 2
    assert path.read_bytes() == bytes(data)
    assert [p.name for p in tmp_path.iterdir()] == ["j"]


@pytest.mark.parametrize("order", [(1, 0, 2, 3), (0, 2, 1, 3), (0, 1, 3), (1, 2, 3), (0, 0, 1, 2, 3), (0, 1, 2, 3, 3)])
def test_missing_repeated_and_reordered_rows_are_refused(tmp_path: Path, order: tuple[int, ...]) -> None:
    lines = written(tmp_path / "j").splitlines(keepends=True)
    with pytest.raises(JournalCorrupt):
        read_rows(tmp_path / "j", b"".join(lines[i] for i in order))


def _resealed(body: dict[str, Any]) -> bytes:
    body = {key: value for key, value in body.items() if key != "hash"}
    return canonical({**body, "hash": sha256_hex(canonical(body))})


def test_a_row_resealed_by_hand_breaks_the_chain(tmp_path: Path) -> None:
    lines = written(tmp_path / "j").splitlines()
    body = json.loads(lines[1])
    body["data"]["nonce"] = 7
    lines[1] = _resealed(body)
    with pytest.raises(JournalCorrupt, match="row 3 does not follow"):
        read_rows(tmp_path / "j", b"\n".join(lines) + b"\n")


@pytest.mark.parametrize(
    "line",
    [
        b"{}",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"",
        b'{"at":1.5,"data":{},"hash":"","kind":"","prev":"","seq":0}',
        b'{"at":"\\ud800","data":{},"hash":"","kind":"","prev":"","seq":0}',
        b"[" * 100_000,
        b'{"at":"","at":"","data":{},"hash":"","kind":"","prev":"","seq":0}',
        b'{"a":' + b"9" * 5_000 + b"}",
    ],
)
def test_lines_that_are_no_rows_are_refused(tmp_path: Path, line: bytes) -> None:
    with pytest.raises(JournalCorrupt):
        read_rows(tmp_path / "j", line + b"\n")


def test_spaces_and_another_key_order_are_refused(tmp_path: Path) -> None:
    line = written(tmp_path / "j").splitlines()[0]
    body = json.loads(line)
    for other in (json.dumps(body, sort_keys=True), json.dumps(dict(reversed(body.items())), separators=(",", ":"))):
        with pytest.raises(JournalCorrupt):
            read_rows(tmp_path / "j", other.encode() + b"\n")


# -- the disk ------------------------------------------------------------------------------------------------------


class Disk:
    """The kernel's two calls, counted, and failing on demand. What fails is the operating system, not our code."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.write_error: int | None = None
        self.sync_error: int | None = None
        self.short_by = 0
        self.writes = self.syncs = 0
        self._pwrite, self._fsync = os.pwrite, os.fsync
        monkeypatch.setattr(os, "pwrite", self.pwrite)
        monkeypatch.setattr(os, "fsync", self.fsync)

    def pwrite(self, descriptor: int, data: bytes, offset: int) -> int:
        self.writes += 1
        if self.write_error:
            raise OSError(self.write_error, os.strerror(self.write_error))
        return self._pwrite(descriptor, data[: len(data) - self.short_by], offset)

    def fsync(self, descriptor: int) -> None:
        self.syncs += 1
        if self.sync_error:
            raise OSError(self.sync_error, os.strerror(self.sync_error))
        self._fsync(descriptor)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


@pytest.mark.parametrize("fault", ["no space", "short write", "fsync"])
def test_49_50_51_a_row_that_may_not_be_durable_is_an_error_and_the_last_word(
    tmp_path: Path, disk: Disk, fault: str
) -> None:
    journal = Journal(tmp_path / "j")
    journal.append("one", {})
    disk.write_error = errno.ENOSPC if fault == "no space" else None
    disk.short_by = 5 if fault == "short write" else 0
    disk.sync_error = errno.EIO if fault == "fsync" else None
    with pytest.raises(JournalUnwritable) as caught:
        journal.append("two", {"n": 2})
    assert caught.value.exit_code == 3
    assert [row.kind for row in journal.rows] == ["one"]
    # Whatever became of the disk since: this object writes and syncs no more.
    disk.write_error = disk.sync_error = None
    disk.short_by = 0
    before = (disk.writes, disk.syncs)
    with pytest.raises(JournalUnwritable):
        journal.append("three", {})
    assert (disk.writes, disk.syncs) == before
    journal.close()
    # The next run starts from what is whole.
    again = Journal(tmp_path / "j")
    assert [row.kind for row in again.rows] == (["one", "two"] if fault == "fsync" else ["one"])
    again.close()


def test_an_interrupt_inside_a_write_closes_the_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(tmp_path / "j")

    def interrupted(descriptor: int) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", interrupted)
        with pytest.raises(KeyboardInterrupt):
            journal.append("one", {})
    with pytest.raises(JournalUnwritable):
        journal.append("two", {})
    journal.close()


def test_the_last_row_is_made_durable_before_a_new_run_acts_on_it(tmp_path: Path, disk: Disk) -> None:
    """A killed run can leave a row in the page cache alone; a failed fsync leaves pages the kernel holds for clean."""
    written(tmp_path / "j")
    before = (disk.writes, disk.syncs)
    Journal(tmp_path / "j").close()
    assert disk.writes == before[0] + 1
    assert disk.syncs >= before[1] + 1
    disk.sync_error = errno.EIO
    with pytest.raises(JournalUnwritable):
        Journal(tmp_path / "j")


def test_new_folders_are_durable_too(tmp_path: Path, disk: Disk) -> None:
    Journal(tmp_path / "a" / "b" / "j").close()
    assert disk.syncs >= 4  # a in its parent, b in a, the journal in b, and the journal


def test_a_journal_that_cannot_be_opened_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file" / "j", tmp_path):
        with pytest.raises(JournalUnwritable):
            Journal(path)


_LIMITED = """
import resource, sys
from pathlib import Path
from pipeline.journal import Journal, JournalUnwritable
journal = Journal(Path(sys.argv[1]))
journal.append("one", {})
resource.setrlimit(resource.RLIMIT_FSIZE, (600, resource.RLIM_INFINITY))
for kind in ("two", "three"):
    try:
        journal.append(kind, {"long": "x" * 1000})
    except JournalUnwritable as error:
        print(error.code)
"""


def test_49_a_real_limit_on_the_file_is_a_refused_row(tmp_path: Path) -> None:
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[1] == resource.RLIM_INFINITY
    done = subprocess.run(
        [sys.executable, "-c", _LIMITED, str(tmp_path / "j")],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert done.stdout.split() == ["SHIP-J02", "SHIP-J02"]
    journal = Journal(tmp_path / "j")
    assert [row.kind for row in journal.rows] == ["one"]
    journal.close()


def test_a_group_is_one_write_and_one_fsync(tmp_path: Path, disk: Disk) -> None:
    journal = Journal(tmp_path / "j")
    before = disk.writes, disk.syncs
    rows = journal.append_all([("row", {"n": n}) for n in range(50)])
    assert (disk.writes, disk.syncs) == (before[0] + 1, before[1] + 1)
    assert [row.data["n"] for row in rows] == list(range(50)) == [row.data["n"] for row in journal.rows]
    journal.append_all([])
    assert disk.writes == before[0] + 1
    journal.close()


def test_a_group_is_no_larger_than_what_is_written_again_on_opening(tmp_path: Path, disk: Disk) -> None:
    journal = Journal(tmp_path / "j")
    before = disk.writes
    journal.append_all([("row", {"pad": "x" * 300_000}) for _ in range(7)] + [("long", {"pad": "y" * 2_000_000})])
    assert disk.writes == before + 4, "3 + 3 + 1 rows of 0.3 MB, and one that is too long for any group"
    journal.close()
    again = Journal(tmp_path / "j")
    assert len(again.rows) == 8
    again.close()


def test_52_a_group_cut_at_every_byte_recovers_row_by_row(tmp_path: Path) -> None:
    path = tmp_path / "j"
    journal = Journal(path)
    journal.append("first", {})
    start = path.stat().st_size
    journal.append_all([("row", {"n": n}) for n in range(3)])
    journal.close()
    whole = path.read_bytes()
    lines = whole.split(b"\n")
    for cut in range(start, len(whole)):
        path.write_bytes(whole[:cut])
        recovered = Journal(path)
        kept = len(recovered.rows)
        recovered.append("next", {})
        recovered.close()
        assert kept == sum(cut >= sum(map(len, lines[: n + 1])) + n for n in range(4))
        assert [row.kind for row in read_rows(path, path.read_bytes())[0]][-1] == "next"


def test_51_the_last_group_is_written_again_before_anyone_acts_on_it(tmp_path: Path, monkeypatch: Any) -> None:
    """A failed fsync may have left any row of the group in memory alone; opening anew must not trust the page cache."""
    journal = Journal(tmp_path / "j")
    journal.append_all([("row", {"n": n}) for n in range(5)])
    journal.close()
    data = (tmp_path / "j").read_bytes()
    written: list[tuple[int, bytes]] = []
    real = os.pwrite

    def pwrite(descriptor: int, blob: bytes, offset: int) -> int:
        written.append((offset, blob))
        return real(descriptor, blob, offset)

    monkeypatch.setattr(os, "pwrite", pwrite)
    Journal(tmp_path / "j").close()
    assert written == [(0, data)]


def test_a_group_that_fails_leaves_no_row_of_it_behind_in_memory(tmp_path: Path, disk: Disk) -> None:
    journal = Journal(tmp_path / "j")
    journal.append("one", {})
    with pytest.raises(TypeError):
        journal.append_all([("good", {}), ("bad", {"value": 1.5})])
    assert [row.kind for row in journal.rows] == ["one"]
    disk.short_by = 3
    with pytest.raises(JournalUnwritable):
        journal.append_all([("a", {}), ("b", {})])
    assert [row.kind for row in journal.rows] == ["one"]
    journal.close()


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
entries = st.lists(
    st.tuples(
        st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
        st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=6), plain, max_size=4),
    ),
    max_size=6,
)


@settings(max_examples=60, deadline=None)
@given(entries)
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, dict[str, Any]]]) -> None:
    path = tmp_path_factory.mktemp("journal") / "j"
    written(path, rows)
    journal = Journal(path)
    assert content(journal) == rows
    head = journal.head
    journal.close()
    assert read_rows(path, path.read_bytes())[1] == head


@pytest.mark.parametrize("value", [1.5, b"x", {1: 2}, "\ud800", {"a": {"\udfff": 1}}])
def test_what_is_not_plain_json_is_refused_before_anything_is_written(tmp_path: Path, value: Any) -> None:
    journal = Journal(tmp_path / "j")
    with pytest.raises(TypeError):
        journal.append("bad", {"value": value})
    journal.append("good", {})
    assert [row.kind for row in journal.rows] == ["good"]
    journal.close()
