"""Runner processes without their start-up: a process that has everything imported forks one for each job.

A soak starts a thousand of them, and importing is nine tenths of each. What is forked is a process like any other: it
has its own memory and descriptors, and SIGKILL ends it wherever it is.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from tests.support.anvil import ROOT


class Child:
    """One run of the runner."""

    def __init__(self, pid: int, codes: queue.Queue[int]) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._codes = codes

    def poll(self) -> int | None:
        if self.returncode is None and not self._codes.empty():
            self.returncode = self._codes.get()
        return self.returncode

    def wait(self, timeout_s: float) -> int:
        if self.returncode is None:
            self.returncode = self._codes.get(timeout=timeout_s)
        return self.returncode

    def kill(self) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):  # it ended this moment
                os.kill(self.pid, signal.SIGKILL)


class Zygote:
    """Starts children, one at a time."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._said: queue.Queue[int] = queue.Queue()
        self.listener = threading.Thread(target=self._listen, daemon=True)
        self.listener.start()

    def _listen(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self._said.put(int(line))

    def start(self, arguments: Sequence[str], output: Path, env: dict[str, str]) -> Child:
        assert self._process.stdin
        self._process.stdin.write(json.dumps({"argv": list(arguments), "output": str(output), "env": env}) + "\n")
        self._process.stdin.flush()
        return Child(self._said.get(timeout=60), self._said)


@contextmanager
def zygote() -> Iterator[Zygote]:
    """A running one; it ends when its input does."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.zygote"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        running = Zygote(process)
        yield running
        assert process.stdin
        assert process.stdout
        process.stdin.close()
        running.listener.join(timeout=60)
        process.stdout.close()
    finally:
        process.kill()
        process.wait()


def _become(job: dict[str, object]) -> NoReturn:
    from tests.support.runner import main

    code = 1
    try:
        output = os.open(str(job["output"]), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.environ.update(job["env"])  # type: ignore[call-overload]
        main(*job["argv"])  # type: ignore[misc]
        code = 0
    except SystemExit as ended:
        code = int(ended.code or 0)
    except BaseException:  # noqa: BLE001 - whatever it is, it goes to the output
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _serve() -> None:
    importlib.import_module("tests.support.runner")  # what every child needs, once
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            _become(json.loads(line))
        print(pid, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


if __name__ == "__main__":
    _serve()
