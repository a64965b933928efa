"""One run per target; the lock goes with the process that held it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline.lock import FolderReadOnly, TargetLocked, locked

_HOLDER = """
import sys
from pathlib import Path
from pipeline.lock import locked
with locked(Path(sys.argv[1]), "ship deploy --chain base"):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def holder(path: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert process.stdin
    assert process.stdout
    try:
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.stdin.close()
        process.wait()
        process.stdout.close()


def test_54_a_second_run_is_refused_and_told_who_holds_it(tmp_path: Path) -> None:
    path = tmp_path / "base" / "lock"
    with holder(path) as process:
        with pytest.raises(TargetLocked) as caught, locked(path, "ship verify"):
            pytest.fail("two runs hold one lock")
        assert caught.value.exit_code == 2
        assert "ship deploy --chain base" in caught.value.cause
        assert f"process {process.pid} " in caught.value.cause
    with locked(path, "ship verify"):
        pass


def test_a_killed_holder_releases(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with holder(path) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        with locked(path, "again"):
            pass


def test_the_lock_is_free_after_the_block_even_if_it_raised(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with pytest.raises(KeyError), locked(path, "one"):
        raise KeyError
    with locked(path, "two"):
        pass


def test_a_holder_that_has_not_written_yet_is_still_a_holder(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with holder(path):
        path.write_text('{"pid": ')
        with pytest.raises(TargetLocked, match="just started"), locked(path, "x"):
            pass


def test_56_a_folder_that_cannot_be_written_to_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FolderReadOnly) as caught, locked(tmp_path / "file" / "lock", "x"):
        pass
    assert caught.value.exit_code == 2


def test_a_full_disk_does_not_undo_the_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "lock"

    def full(descriptor: int, data: bytes, offset: int) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        with locked(path, "one"), pytest.raises(TargetLocked, match="just started"), locked(path, "two"):
            pass
