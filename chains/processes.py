"""Running other programs: bounded in time and memory, and never leaving one behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from chains.errors import Refused

__all__ = ["Finished", "ProcessGroup", "ToolNotRunnable", "ToolTimedOut", "run_tool"]

CAPTURE_BYTES = 64 << 20
_GRACE_S = 2.0


class ToolTimedOut(Refused):
    """SHIP-B03: a program took longer than it may."""

    code = "SHIP-B03"


class ToolNotRunnable(Refused):
    """SHIP-B04: a program could not be started at all."""

    code = "SHIP-B04"


@dataclass(frozen=True)
class Finished:
    """A program that ended by itself. ``truncated``: it wrote more than was kept, and the end of it is missing."""

    exit_code: int
    stdout: bytes
    stderr: bytes
    duration_s: float
    truncated: bool = False

    @property
    def text(self) -> str:
        """Both outputs, errors last: where they are read."""
        return "\n".join(t for t in (self.stdout.decode(errors="replace").strip(), self.complaint) if t)

    @property
    def complaint(self) -> str:
        return self.stderr.decode(errors="replace").strip()


class ProcessGroup:
    """The programs running on someone's behalf, so that another thread can end them all (Ctrl-C reaches one thread only)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._stopped = False

    def add(self, process: subprocess.Popen[bytes]) -> None:
        with self._lock:
            self._running.add(process)
            stopped = self._stopped
        if stopped:
            _kill(process)

    def remove(self, process: subprocess.Popen[bytes]) -> None:
        with self._lock:
            self._running.discard(process)

    def stop(self) -> None:
        """End every program, and every one started from now on."""
        with self._lock:
            self._stopped = True
            running = tuple(self._running)
        for process in running:
            if process.returncode is None:
                _signal(process, signal.SIGKILL)


class _Reader(threading.Thread):
    """Drains a pipe to its end, and keeps the first ``limit`` bytes."""

    def __init__(self, pipe: IO[bytes], limit: int) -> None:
        super().__init__(daemon=True)
        self.pipe, self.limit = pipe, limit
        self.data = bytearray()
        self.truncated = False

    def run(self) -> None:
        with contextlib.suppress(ValueError, OSError), self.pipe:
            while chunk := os.read(self.pipe.fileno(), 1 << 16):
                room = self.limit - len(self.data)
                self.data += chunk[:room]
                self.truncated |= len(chunk) > room


def _signal(process: subprocess.Popen[bytes], number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End the process and everything it started: politely, then not."""
    _signal(process, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_GRACE_S)
    _signal(process, signal.SIGKILL)
    process.wait()


def run_tool(
    args: Sequence[str | Path],
    *,
    cwd: Path,
    timeout_s: float,
    env: Mapping[str, str],
    group: ProcessGroup | None = None,
    capture_bytes: int = CAPTURE_BYTES,
) -> Finished:
    """Run ``args`` (never through a shell) with exactly ``env``, and give its output and exit code.

    On a timeout, on Ctrl-C and on any other error the whole process group is ended first. Raises ``ToolTimedOut`` and
    ``ToolNotRunnable``; an exit code other than 0 is for the caller to judge.
    """
    command = [str(arg) for arg in args]
    name = Path(command[0]).name
    began_s = time.monotonic()
    try:
        process = subprocess.Popen(
            command, cwd=cwd, env=dict(env), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        raise ToolNotRunnable(
            f"{name} cannot be started: {error.strerror} ({error.filename or command[0]})",
            remedy="Run `ship doctor`: it says what is missing and how to get it.",
        ) from error
    assert process.stdout is not None
    assert process.stderr is not None
    readers = _Reader(process.stdout, capture_bytes), _Reader(process.stderr, capture_bytes)
    # A thread of its own, because Popen.wait with a timeout polls.
    waiter = threading.Thread(target=process.wait, daemon=True)
    try:
        for thread in (*readers, waiter):
            thread.start()
        if group is not None:
            group.add(process)
        waiter.join(timeout_s)
        if waiter.is_alive():
            raise ToolTimedOut(
                f"{name} did not end within {timeout_s:.0f} s and was stopped",
                remedy=f"Run `{name} {' '.join(command[1:3])}` by itself to see where it hangs.",
            )
    finally:
        if waiter.is_alive():
            _kill(process)
        for reader in readers:
            reader.join(_GRACE_S)
        if any(reader.is_alive() for reader in readers):
            # It ended, and left something behind that still holds its pipes.
            _signal(process, signal.SIGKILL)
        if group is not None:
            group.remove(process)
    return Finished(
        process.returncode,
        bytes(readers[0].data),
        bytes(readers[1].data),
        time.monotonic() - began_s,
        any(reader.truncated for reader in readers),
    )
