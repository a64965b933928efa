"""A private copy of the chain: an anvil that forks it, and is thrown away.

anvil reads through a relay of ours on the loopback device, for three reasons: an endpoint's URL may hold a key, and
argument lists are open to everybody on the machine; reads keep failover, caps and time limits; and whatever the fork
does, the relay forwards nothing that sends. anvil ends with us, whatever ends us: its shell watches a pipe of ours.
"""

from __future__ import annotations

import contextlib
import json
import re
import secrets
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from chains.base import Clock
from chains.evm.scene import SimulationUnsupported
from chains.rpc import Endpoint, Rpc, RpcDown, RpcFault
from chains.tools import base_environment

__all__ = ["private_fork"]

_START_S = 60.0
_READS = re.compile(r"(eth|net|web3)_(?!send|sign|submit)\w+")
_WATCHED = (
    'exec 3<&0; "$@" 3<&- </dev/null & p=$!; { cat <&3 >/dev/null; kill "$p" 2>/dev/null; } & exec 3<&-; wait "$p"'
)


@contextmanager
def private_fork(
    rpc: Rpc, anvil: Path, block_number: int, clock: Clock, *, free_gas: bool = False
) -> Iterator[Endpoint]:
    """A fork of the chain at a block, on which anybody may send as anybody; ``free_gas``: without a base fee.

    Raises ``SimulationUnsupported``.
    """
    options = ["--block-base-fee-per-gas", "0"] if free_gas else []
    with _relay(rpc) as url, _fork(anvil, url, block_number, clock, options) as endpoint:
        yield endpoint


@contextmanager
def _fork(anvil: Path, url: str, block_number: int, clock: Clock, options: Sequence[str]) -> Iterator[Endpoint]:
    """A running fork; ended afterwards, and with this process."""
    command = [str(anvil), "--host", "127.0.0.1", "--port", "0", "--fork-url", url, "--no-storage-caching"]
    command += ["--fork-block-number", str(block_number), "--auto-impersonate", "--no-rate-limit", *options]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            ["/bin/sh", "-c", _WATCHED, "sh", *command],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=base_environment(),
            start_new_session=True,
        )
        assert process.stdin
        try:
            yield Endpoint(_listening(process, log, clock), timeout_s=60.0, label="the anvil fork")
        finally:
            process.stdin.close()
            process.wait()


def _listening(process: subprocess.Popen[bytes], log: Any, clock: Clock) -> str:
    deadline_s = clock.monotonic_s() + _START_S
    said = b""
    while clock.monotonic_s() < deadline_s:
        log.seek(0)
        said = log.read()
        if match := re.search(rb"Listening on (127\.0\.0\.1:\d+)\s", said):
            return f"http://{match[1].decode()}"
        if process.poll() is not None:
            break
        clock.sleep_s(0.02)
    tail = said.decode(errors="replace").strip().splitlines()[-3:]
    raise SimulationUnsupported(f"no anvil fork came up: {' | '.join(tail) or 'no output'}")


@contextmanager
def _relay(rpc: Rpc) -> Iterator[str]:
    """The URL of a loopback server that hands reads on to ``rpc``; its path cannot be guessed."""
    token = secrets.token_urlsafe(16)
    lock = threading.Lock()

    def answer(call: Any) -> dict[str, Any]:
        head = {"jsonrpc": "2.0", "id": call["id"]}
        method = str(call["method"])
        if not _READS.fullmatch(method):
            return {**head, "error": {"code": -32601, "message": "not handed on"}}
        with lock:  # the pool counts and remembers; one at a time is what a fork needs
            try:
                result = rpc.read_all([(method, list(call.get("params") or []))])[0]
            except RpcDown as error:
                result = RpcFault(-32000, error.cause)
        if isinstance(result, RpcFault):
            return {**head, "error": {"code": result.code, "message": result.message, "data": result.data}}
        return {**head, "result": result}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        timeout = 60

        def log_message(self, *args: Any) -> None:  # nothing on stderr
            pass

        def do_POST(self) -> None:
            try:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                if self.path != f"/{token}":
                    raise ValueError("another path")
                reply = [answer(call) for call in body] if isinstance(body, list) else answer(body)
                status, data = 200, json.dumps(reply).encode()
            except (ValueError, KeyError, TypeError):
                status, data = 400, b""
            with contextlib.suppress(OSError):  # the fork has ended, and waits for no answer
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/{token}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
