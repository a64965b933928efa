"""The process that compiles and matches for the servers, as a Python object."""

from __future__ import annotations

import itertools
import json
import os
import queue
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.anvil import ROOT
from tests.support.missing import missing

__all__ = ["Refusal", "Worker", "worker"]

_WAIT_S = 120.0
_WANTED = [
    "abi",
    "metadata",
    "evm.bytecode.object",
    "evm.deployedBytecode.object",
    "evm.deployedBytecode.immutableReferences",
]


class Refusal(Exception):
    """The compiler or the matching library said no."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Worker:
    """Shared by all servers of a test run; threads may ask at once, the answers come one compilation after another."""

    def __init__(self, process: subprocess.Popen[str], library: Path | None) -> None:
        self._process = process
        self._library = library
        self._ids = itertools.count()
        self._waiting: dict[int, queue.SimpleQueue[dict[str, Any]]] = {}
        self._lock = threading.Lock()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def compile(self, compiler: str, standard_json: Mapping[str, Any]) -> dict[str, Any]:
        """The compiler's output, errors in the sources included. Raises ``Refusal`` for a version that is not there."""
        settings = {**standard_json.get("settings", {}), "outputSelection": {"*": {"*": _WANTED}}}
        return dict(self._ask(op="compile", compiler=compiler, input={**standard_json, "settings": settings})["output"])

    def match(
        self,
        chain: tuple[int, str],
        address: str,
        contract: tuple[str, str],
        compiler: str,
        standard_json: Mapping[str, Any],
        creation: str | None,
    ) -> tuple[str | None, str | None]:
        """Sourcify's ``(runtime, creation)`` match of a contract (path, name) on a chain (id, URL).

        Raises ``Refusal`` with Sourcify's code.
        """
        path, name = contract
        asked = {"path": path, "name": name, "compiler": compiler, "input": standard_json, "creation": creation}
        found = self._ask(op="match", chainId=chain[0], rpc=chain[1], address=address, **asked)["match"]
        return found["runtime"], found["creation"]

    def need_library(self) -> None:
        """Skip, or fail where CI=true, if it can only compile."""
        if self._library is None:
            missing("Sourcify's library is missing: run scripts/bootstrap --services")

    def _ask(self, **request: Any) -> dict[str, Any]:
        answers: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        with self._lock:
            number = next(self._ids)
            self._waiting[number] = answers
            assert self._process.stdin
            self._process.stdin.write(json.dumps({"id": number, **request}) + "\n")
            self._process.stdin.flush()
        answer = answers.get(timeout=_WAIT_S)
        if "failed" in answer:
            raise Refusal(answer["failed"]["code"], answer["failed"]["message"])
        return answer

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            answer = json.loads(line)
            with self._lock:
                waiting = self._waiting.pop(answer["id"])
            waiting.put(answer)


def _folder(part: str) -> Path | None:
    folders = [Path(os.environ["SHIP_TOOLS"])] if os.environ.get("SHIP_TOOLS") else []
    return next((f / part for f in (*folders, ROOT / ".tools") if (f / part).is_dir()), None)


@contextmanager
def worker() -> Iterator[Worker]:
    """A running worker. To compile it needs the toolchain alone, to match Sourcify's library."""
    compilers, library = _folder("npm/node_modules"), _folder("services/explorers/node_modules")
    if compilers is None:
        missing("the compilers are missing: run scripts/bootstrap")
    process = subprocess.Popen(
        ["node", "--stack-size=4000", Path(__file__).with_name("worker.js"), compilers, library or ""],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    running = Worker(process, library)
    try:
        yield running
    finally:
        process.kill()
        running.reader.join()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            assert pipe
            pipe.close()
