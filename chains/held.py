"""A server of ship's own that outlives the run that started it: it holds an inherited lock for as long as it lives.

So that a run that was killed leaves one the next run finds, two can never share a folder, and nothing is signalled that is not it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from chains.base import Clock

__all__ = ["HeldProcess"]

_LOOK_S = 0.02


@dataclass(frozen=True)
class HeldProcess:
    """The server that ``folder`` belongs to; its files there are called ``stem``.lock, .pid and .log."""

    folder: Path
    stem: str

    def file(self, suffix: str) -> Path:
        return self.folder / f"{self.stem}.{suffix}"

    @property
    def held(self) -> bool:
        """Whether a live server holds the folder's lock."""
        try:
            descriptor = os.open(self.file("lock"), os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def launch(self, command: Sequence[str], environment: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        """Start it holding the lock, its pid written before it becomes itself. Raises ``BlockingIOError`` if another holds it."""
        lock = os.open(self.file("lock"), os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with self.file("log").open("wb") as output:
                return subprocess.Popen(
                    ["/bin/sh", "-c", 'echo $$ >"$1"; shift; exec "$@"', "sh", str(self.file("pid")), *command],
                    cwd=self.folder,
                    env=dict(environment) if environment is not None else None,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    pass_fds=(lock,),
                )
        finally:
            os.close(lock)

    def end(self, pid: int, clock: Clock, within_s: float) -> bool:
        """Ask it to write its state and end; whether it did."""
        with contextlib.suppress(ProcessLookupError):  # it ended by itself, which is what was wanted
            os.kill(pid, signal.SIGTERM)
        deadline_s = clock.monotonic_s() + within_s
        while clock.monotonic_s() < deadline_s:
            with contextlib.suppress(ChildProcessError):  # started by an earlier run: not ours to reap
                os.waitpid(pid, os.WNOHANG)
            if not self.held:
                return True
            clock.sleep_s(_LOOK_S)
        return False
