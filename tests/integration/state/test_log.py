"""The shared log: in the bucket before it is believed, written by one, read whole by a folder that has nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from chains.base import SystemClock
from pipeline.journal import Journal, read_rows
from pipeline.lock import locked
from pipeline.state.shared.errors import (
    LocalAhead,
    LocalDiverged,
    NotVersioned,
    SharedStateDamaged,
    SharedStateRefused,
    SharedStateUnreachable,
    TakenOver,
    TargetHeld,
)
from pipeline.state.shared.lease import read_lease
from pipeline.state.shared.opening import refresh, writing
from tests.support.s3 import Clone, Fault, S3Box, clone


class Told:
    """A Ui that keeps what it was told."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


@contextmanager
def at_work(where: Clone, told: Any = None) -> Iterator[Journal]:
    journal = Journal(where.state.journal)
    try:
        with (
            locked(where.state.lock, "a test"),
            writing(where.project, where.state, told or Told(), SystemClock(), "a test", journal),
        ):
            yield journal
    finally:
        journal.close()


def kinds(where: Clone) -> list[str]:
    return [row.kind for row in read_rows(where.state.journal, where.state.journal.read_bytes())[0]]


@pytest.fixture
def bucket(box: S3Box) -> str:
    return box.bucket()


@pytest.fixture
def folders(box: S3Box, bucket: str, tmp_path: Path) -> Any:
    """Gives further clones of one project on one bucket."""
    return lambda name, more="", **table: clone(tmp_path / name, box.table(bucket, more, **table))


def test_what_one_folder_wrote_another_has(folders: Any) -> None:
    first, second = folders("first"), folders("second")
    with at_work(first) as journal:
        journal.append("one", {"n": 1})
        journal.append_all([("two", {}), ("three", {})])
    with at_work(second) as journal:
        assert [row.kind for row in journal.rows] == ["one", "two", "three"]
        journal.append("four", {})
    refresh(first.project, first.state)
    assert kinds(first) == ["one", "two", "three", "four"]
    assert first.state.journal.read_bytes() == second.state.journal.read_bytes()


def test_a_group_is_one_write_and_nothing_is_read(box: S3Box, folders: Any) -> None:
    with at_work(folders("here", lease_s=600)) as journal:
        journal.append("one", {})
        box.proxy.log.clear()
        journal.append_all([("row", {"n": n}) for n in range(50)])
        assert [method for method, _ in box.proxy.log] == ["PUT"]


def test_a_row_is_in_the_bucket_before_it_is_in_the_file(box: S3Box, folders: Any) -> None:
    here = folders("here", lease_s=600)
    with at_work(here) as journal:
        sizes: list[int] = []
        box.proxy.on_put = lambda path, body: sizes.append(here.state.journal.stat().st_size)
        journal.append("one", {})
        assert sizes == [0]
        assert here.state.journal.stat().st_size > 0


def test_what_the_bucket_did_not_take_is_not_in_the_file_and_the_run_writes_nothing_more(
    box: S3Box, folders: Any
) -> None:
    here = folders("here", lease_s=600)
    with at_work(here) as journal:
        journal.append("one", {})
        box.proxy.faults = [Fault("PUT", "/segments/", 503, times=4)]
        with pytest.raises(SharedStateUnreachable) as caught:
            journal.append("two", {})
        assert caught.value.exit_code == 3
        with pytest.raises(Exception, match="an earlier write failed"):
            journal.append("three", {})
    assert kinds(here) == ["one"]
    with at_work(here) as journal:
        assert [row.kind for row in journal.rows] == ["one"]


def test_a_row_whose_every_reply_was_lost_is_found_by_the_next_run(box: S3Box, folders: Any) -> None:
    here = folders("here", lease_s=600)
    with at_work(here) as journal:
        box.proxy.faults = [Fault("PUT", "/segments/", "after", times=9), Fault("GET", "/segments/", 503, times=9)]
        with pytest.raises(SharedStateUnreachable):
            journal.append("signed", {})
        box.proxy.faults.clear()
    assert kinds(here) == []
    with at_work(here) as journal:
        assert [row.kind for row in journal.rows] == ["signed"]


@pytest.mark.parametrize("kind", ["before", "after", 500])
@pytest.mark.parametrize(
    ("method", "key"),
    [
        ("GET", "/lease.json"),
        ("PUT", "/lease.json"),
        ("GET", "prefix="),
        ("PUT", "/segments/"),
        ("PUT", "/objects/"),
        ("GET", "versioning"),
    ],
)
def test_a_lost_request_or_reply_of_every_call_of_a_run_changes_nothing(
    box: S3Box, folders: Any, method: str, key: str, kind: str | int
) -> None:
    here = folders("here", lease_s=600)
    box.proxy.faults = [Fault(method, key, kind, times=1, after=after) for after in (0, 1)]
    with at_work(here) as journal:
        journal.append("one", {})
        plan = here.state.plan("ab" * 32)
        plan.parent.mkdir(parents=True)
        plan.write_text("{}")
        journal.append("two", {})
    assert any(fault.fired for fault in box.proxy.faults)
    box.proxy.faults.clear()
    other = folders("other")
    refresh(other.project, other.state)
    assert kinds(other) == ["one", "two"]
    assert other.state.plan("ab" * 32).read_text() == "{}"
    lease = read_lease(here.bucket, "t")
    assert lease is not None
    assert (lease[0].holder, lease[0].fence) == (None, 1)


# -- two at once ---------------------------------------------------------------------------------------------------


def test_54_a_second_run_is_refused_and_told_who_holds_the_target(folders: Any) -> None:
    first, second = folders("first"), folders("second")
    with at_work(first) as journal, pytest.raises(TargetHeld, match="`a test`, process") as caught, at_work(second):
        pass
    assert caught.value.exit_code == 2
    assert not journal.rows


def test_55_a_holder_that_was_taken_for_dead_can_write_no_row_more(folders: Any) -> None:
    """Its process was stopped for longer than the lease: it wakes up, and the number it had in mind is taken."""
    slow, quick = folders("slow"), folders("quick")
    with ExitStack() as stack:
        journal = stack.enter_context(at_work(slow))
        journal.append("one", {})
        stop = next(thread for thread in threading.enumerate() if thread.name == "lease of t")
        assert stop.daemon
        _hold_still(slow)
        told = Told()
        with at_work(quick, told) as other:
            assert [row.kind for row in other.rows] == ["one"]
            assert any("no sign of life" in note for note in told.notes)
            with pytest.raises(TakenOver, match="taken over by") as caught:
                journal.append("signed", {})
            assert caught.value.exit_code == 3
            other.append("two", {})
    assert kinds(slow) == ["one"]
    refresh(slow.project, slow.state)
    assert kinds(slow) == ["one", "two"]


def _hold_still(where: Clone) -> None:
    """What SIGSTOP does to a whole process, for its signs of life alone: its tag is made to be an old one."""
    found = read_lease(where.bucket, "t")
    assert found is not None
    # A holder whose PUTs do not arrive: the lease object stands still.
    thread = next(t for t in threading.enumerate() if t.name == "lease of t")
    lease = thread._target.__self__  # type: ignore[attr-defined]
    lease._over.set()
    thread.join()


def test_a_takeover_happens_once(folders: Any) -> None:
    dead = folders("dead")
    with ExitStack() as stack:
        stack.enter_context(at_work(dead))
        _hold_still(dead)
        ends: list[str] = []
        inside = threading.Semaphore(0)

        def try_it(number: int) -> None:
            here = folders(f"taker{number}")
            try:
                with at_work(here) as journal:
                    journal.append("mine", {"n": number})
                    ends.append("in")
                    inside.acquire(timeout=30)
            except (TargetHeld, TakenOver) as error:
                ends.append(error.code)
                inside.release()

        threads = [threading.Thread(target=try_it, args=(n,)) for n in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert ends.count("in") == 1
    other = folders("other")
    refresh(other.project, other.state)
    assert kinds(other) == ["mine"]


def test_the_folder_of_a_run_that_died_goes_on_at_once(folders: Any) -> None:
    """Its own lock proves that nobody is at work in it: no lease time is waited for."""
    here = folders("here", lease_s=3600)
    journal = Journal(here.state.journal)
    with locked(here.state.lock, "a test"):
        opened = writing(here.project, here.state, Told(), SystemClock(), "a test", journal)  # type: ignore[arg-type]
        opened.__enter__()
        _hold_still(here)
        journal.append("one", {})
        journal.close()
    with at_work(here) as again:
        assert [row.kind for row in again.rows] == ["one"]
    del opened


def test_looking_at_a_target_that_was_never_released_to_leaves_nothing(folders: Any) -> None:
    here = folders("here")
    refresh(here.project, here.state)
    assert not here.state.journal.exists()


def test_a_lease_removed_by_hand_begins_above_every_number_that_wrote(box: S3Box, bucket: str, folders: Any) -> None:
    for name in ("a", "b"):
        with at_work(folders(name)) as journal:
            journal.append(name, {})
    box.service.s3.delete_object(Bucket=bucket, Key="p/targets/t/lease.json")
    with at_work(folders("c")) as journal:
        assert [row.kind for row in journal.rows] == ["a", "b"]
        lease = read_lease(folders("d").bucket, "t")
        assert lease is not None
        assert lease[0].fence == 3


# -- local and bucket ----------------------------------------------------------------------------------------------


def test_a_local_journal_the_bucket_lacks_is_not_gone_over(folders: Any) -> None:
    here = folders("here")
    journal = Journal(here.state.journal)
    journal.append("before", {})
    journal.close()
    with pytest.raises(LocalAhead, match="1 rows") as caught, at_work(here):
        pass
    assert caught.value.exit_code == 2
    assert kinds(here) == ["before"]


def test_two_stories_are_told_apart(folders: Any) -> None:
    here, other = folders("here"), folders("other")
    with at_work(other) as journal:
        journal.append("theirs", {})
    journal = Journal(here.state.journal)
    journal.append("ours", {})
    journal.close()
    with pytest.raises(LocalDiverged, match="row 1"), at_work(here):
        pass


def test_a_local_journal_that_was_deleted_is_there_again(folders: Any) -> None:
    here = folders("here")
    with at_work(here) as journal:
        journal.append("one", {})
    here.state.journal.unlink()
    with at_work(here) as journal:
        assert [row.kind for row in journal.rows] == ["one"]


def test_a_file_is_in_the_bucket_before_the_row_that_names_it(box: S3Box, folders: Any) -> None:
    here = folders("here", lease_s=600)
    with at_work(here) as journal:
        plan = here.state.plan("cd" * 32)
        plan.parent.mkdir(parents=True)
        plan.write_text('{"a plan":1}')
        box.proxy.log.clear()
        journal.append("plan.accepted", {"plan": "cd" * 32, "bundle": "00" * 32})
        puts = [path for method, path in box.proxy.log if method == "PUT"]
        assert ["/objects/" in path for path in puts] == [True, False]


def test_a_record_written_last_is_there_too_and_a_newer_one_here_stays(folders: Any) -> None:
    here, other = folders("here"), folders("other")
    with at_work(here) as journal:
        journal.append("one", {})
        record = here.state.record("v1.0.0")
        record.parent.mkdir(parents=True)
        record.write_text('{"a record":1}')
        (record.parent / "other-target.json").write_text("{}")
    refresh(other.project, other.state)
    assert other.state.record("v1.0.0").read_text() == '{"a record":1}'
    assert not (other.state.record("v1.0.0").parent / "other-target.json").exists()
    other.state.record("v1.0.0").write_text('{"changed here":1}')
    refresh(other.project, other.state)
    assert other.state.record("v1.0.0").read_text() == '{"changed here":1}'


def test_a_file_of_another_content_is_put_aside_not_lost(folders: Any) -> None:
    here, other = folders("here"), folders("other")
    other.state.record("v1").parent.mkdir(parents=True)
    other.state.record("v1").write_text("mine")
    with at_work(here) as journal:
        here.state.record("v1").parent.mkdir(parents=True)
        here.state.record("v1").write_text("theirs")
        journal.append("one", {})
    refresh(other.project, other.state)
    assert other.state.record("v1").read_text() == "theirs"
    aside = list((other.project.root / ".ship/state/aside").iterdir())
    assert [path.read_text() for path in aside] == ["mine"]


# -- damage --------------------------------------------------------------------------------------------------------


def _log(box: S3Box, bucket: str) -> list[str]:
    return [key for key in box.keys(bucket) if "/segments/" in key]


def test_a_missing_segment_is_refused(box: S3Box, bucket: str, folders: Any) -> None:
    with at_work(folders("here")) as journal:
        for number in range(3):
            journal.append("row", {"n": number})
    box.service.s3.delete_object(Bucket=bucket, Key=_log(box, bucket)[1])
    with pytest.raises(SharedStateDamaged, match="missing"), at_work(folders("other")):
        pass


def test_a_bucket_that_was_emptied_is_no_log_without_news(box: S3Box, bucket: str, folders: Any) -> None:
    here = folders("here")
    with at_work(here) as journal:
        journal.append("one", {})
    for key in box.keys(bucket):
        box.service.s3.delete_object(Bucket=bucket, Key=key)
    with pytest.raises(SharedStateDamaged, match="missing"), at_work(here):
        pass


@pytest.mark.parametrize("change", [lambda t: t.replace('"n":1', '"n":2'), lambda t: t[:-1], lambda t: "{}\n" + t])
def test_a_changed_segment_is_refused(box: S3Box, bucket: str, folders: Any, change: Any) -> None:
    with at_work(folders("here")) as journal:
        journal.append("row", {"n": 1})
        journal.append("row", {"n": 3})
    key = _log(box, bucket)[1]
    box.service.s3.put_object(Bucket=bucket, Key=key, Body=change(box.text(bucket, key)).encode())
    with pytest.raises(SharedStateDamaged), at_work(folders("other")):
        pass


@pytest.mark.parametrize(
    "path", ["../out.json", "ship.toml", "deployments/t/plans/../../../out.json", ".ship/bundles/x"]
)
def test_a_segment_names_no_file_but_the_targets_own(box: S3Box, bucket: str, folders: Any, path: str) -> None:
    with at_work(folders("here")) as journal:
        journal.append("row", {})
    key = _log(box, bucket)[-1]
    text = box.text(bucket, key).replace('"files":{}', f'"files":{{"{path}":"{"ab" * 32}"}}')
    box.service.s3.put_object(Bucket=bucket, Key=key, Body=text.encode())
    other = folders("other")
    with pytest.raises(SharedStateDamaged, match="not one of"), at_work(other):
        pass


# -- the bucket's settings -----------------------------------------------------------------------------------------


def test_a_bucket_without_versions_is_warned_of_or_refused(box: S3Box, tmp_path: Path) -> None:
    bare, told = box.bucket(versioning=False), Told()
    with at_work(clone(tmp_path / "warned", box.table(bare)), told):
        pass
    assert any("keeps no earlier versions" in note for note in told.notes)
    refused = clone(tmp_path / "refused", box.table(bare, "require-versioning = true\n"))
    with pytest.raises(NotVersioned) as caught, at_work(refused):
        pass
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("header", ["if-none-match", "if-match"])
def test_a_service_that_ignores_conditions_is_found_out_before_the_first_row(
    box: S3Box, bucket: str, folders: Any, header: str
) -> None:
    box.proxy.unconditional = header
    with pytest.raises(SharedStateRefused, match="does not honour"), at_work(folders("here")):
        pass
    assert _log(box, bucket) == []
