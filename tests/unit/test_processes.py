"""Programs are bounded, and nothing of them stays behind."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

import pytest

from chains.processes import ProcessGroup, ToolNotRunnable, ToolTimedOut, run_tool

ENV = {"PATH": os.environ["PATH"]}


def shell(script: str, tmp_path: Path, **options: object) -> object:
    return run_tool(["/bin/sh", "-c", script], cwd=tmp_path, env=ENV, **{"timeout_s": 20.0, **options})  # type: ignore[arg-type]


def gone(pid: int) -> bool:
    for _ in range(200):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        if Path(f"/proc/{pid}/stat").exists() and " Z " in Path(f"/proc/{pid}/stat").read_text():
            return True
        time.sleep(0.02)
    return False


def test_output_and_exit_code_come_back(tmp_path: Path) -> None:
    finished = run_tool(["/bin/sh", "-c", "echo out; echo err >&2; exit 7"], cwd=tmp_path, timeout_s=20, env=ENV)
    assert (finished.exit_code, finished.stdout, finished.stderr) == (7, b"out\n", b"err\n")
    assert finished.text == "out\nerr"


def test_arguments_are_no_shell_text(tmp_path: Path) -> None:
    finished = run_tool(["/bin/echo", "$(id)", "; exit 3"], cwd=tmp_path, timeout_s=20, env=ENV)
    assert finished.stdout == b"$(id) ; exit 3\n"


def test_only_the_given_environment_is_passed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRIVATE_KEY", "0xsecret")
    finished = run_tool(
        [sys.executable, "-c", "import os; print(sorted(os.environ))"], cwd=tmp_path, timeout_s=20, env=ENV
    )
    assert b"PRIVATE_KEY" not in finished.stdout


def test_a_timeout_ends_the_whole_family(tmp_path: Path) -> None:
    with pytest.raises(ToolTimedOut, match="did not end within"):
        shell("sleep 300 & echo $! >child; wait", tmp_path, timeout_s=0.5)
    assert gone(int((tmp_path / "child").read_text()))


def test_a_child_left_behind_is_ended_too(tmp_path: Path) -> None:
    began_s = time.monotonic()
    shell("sleep 300 & echo $! >child", tmp_path)
    assert time.monotonic() - began_s < 10  # not the whole time-out
    assert gone(int((tmp_path / "child").read_text()))


def test_endless_output_is_cut_off_and_said_to_be(tmp_path: Path) -> None:
    finished = run_tool(
        ["/bin/sh", "-c", "head -c 3000000 /dev/zero"], cwd=tmp_path, timeout_s=20, env=ENV, capture_bytes=1000
    )
    assert (len(finished.stdout), finished.truncated, finished.exit_code) == (1000, True, 0)


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ToolNotRunnable, match="no-such-program"):
        run_tool(["/no-such-program"], cwd=tmp_path, timeout_s=1, env=ENV)


def test_a_stopped_group_ends_what_runs_and_what_starts_later(tmp_path: Path) -> None:
    group, codes = ProcessGroup(), []

    def sleep() -> None:
        codes.append(run_tool(["sleep", "300"], cwd=tmp_path, timeout_s=300, env=ENV, group=group).exit_code)

    thread = threading.Thread(target=sleep)
    thread.start()
    while not group._running:
        time.sleep(0.01)
    group.stop()
    thread.join(10)
    sleep()
    assert len(codes) == 2
    assert all(code < 0 for code in codes)
