"""A raw HTTP server whose every answer is written by the test, byte by byte."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

Script = Callable[["Client"], None]


@dataclass
class Client:
    """One request: its headers and JSON body, and ways to answer."""

    connection: socket.socket
    headers: str
    body: Any
    stopped: threading.Event

    def raw(self, data: bytes) -> None:
        self.connection.sendall(data)

    def http(self, body: bytes, status: str = "200 OK", headers: str = "", length: int | None = None) -> None:
        size = len(body) if length is None else length
        self.raw(f"HTTP/1.1 {status}\r\ncontent-length: {size}\r\n{headers}\r\n".encode() + body)

    def json(self, value: Any, status: str = "200 OK") -> None:
        self.http(json.dumps(value).encode(), status)

    def answer(self, make: Callable[[dict[str, Any]], Any]) -> None:
        """A proper reply with ``make``'s result for every call, in order."""
        calls = self.body if isinstance(self.body, list) else [self.body]
        items = [{"jsonrpc": "2.0", "id": call["id"], "result": make(call)} for call in calls]
        self.json(items if isinstance(self.body, list) else items[0])

    def drip(self, data: bytes, pause_s: float) -> None:
        for byte in data:
            if self.stopped.wait(pause_s):
                return
            self.raw(bytes([byte]))


@dataclass
class Hostile:
    """Scripts are played in order, one a request; the last one stays."""

    url: str = ""
    scripts: list[Script] = field(default_factory=list)
    requests: list[Any] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)

    def play(self, *scripts: Script) -> None:
        self.scripts = list(scripts)

    def serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            while not self.stopped.is_set():
                data = b""
                while b"\r\n\r\n" not in data:
                    chunk = connection.recv(65536)
                    if not chunk:
                        return
                    data += chunk
                head, _, body = data.partition(b"\r\n\r\n")
                length = next(
                    int(h.split(b":")[1]) for h in head.split(b"\r\n") if h.lower().startswith(b"content-length")
                )
                while len(body) < length:
                    body += connection.recv(65536)
                self.requests.append(json.loads(body))
                self.heads.append(head.decode())
                script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
                script(Client(connection, head.decode(), json.loads(body), self.stopped))


@contextmanager
def hostile() -> Iterator[Hostile]:
    """A server on a free loopback port."""
    server = Hostile()
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.05)
    server.url = f"http://127.0.0.1:{listener.getsockname()[1]}/v2/SECRETKEY"
    threads: list[threading.Thread] = []

    def accept() -> None:
        while not server.stopped.is_set():
            with suppress(TimeoutError):
                connection, _ = listener.accept()
                connection.settimeout(5)
                threads.append(threading.Thread(target=server.serve, args=(connection,), daemon=True))
                threads[-1].start()

    loop = threading.Thread(target=accept, daemon=True)
    loop.start()
    try:
        yield server
    finally:
        server.stopped.set()
        loop.join()
        listener.close()


def wait_until(condition: Callable[[], bool], within_s: float = 5.0) -> None:
    """Return once ``condition`` holds; fail the test if it does not in time."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)
