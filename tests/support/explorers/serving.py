"""HTTP in front of a protocol: every request is noted, counted against its key's allowance, and may meet a fault."""

from __future__ import annotations

import json
import os
import struct
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import SO_LINGER, SOL_SOCKET
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlsplit

from tests.support.explorers.faults import Drop, Faults, Reset

__all__ = ["Asked", "Dialect", "Reply", "Request", "Service", "json_reply", "serve"]


@dataclass(frozen=True)
class Request:
    """``call`` is the protocol's word for what is asked; ``fields`` those of query and form."""

    call: str
    method: str
    path: str
    fields: Mapping[str, str]
    body: bytes
    key: str | None = None
    chain_id: int | None = None
    address: str | None = None


@dataclass(frozen=True)
class Reply:
    """``drip``: bytes come one by one behind the head, for as long as somebody reads."""

    status: int = 200
    body: bytes = b""
    kind: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    drip: bool = False


def json_reply(value: Any, status: int = 200) -> Reply:
    return Reply(status, json.dumps(value).encode())


@dataclass(frozen=True)
class Asked:
    """A request as it came in. ``fault`` is the one it met."""

    at_s: float
    request: Request
    fault: str | None


class Dialect(Protocol):
    """One explorer's protocol."""

    def read(self, method: str, path: str, fields: Mapping[str, str], body: bytes) -> Request: ...

    def handle(self, request: Request) -> Reply: ...

    def too_often(self) -> Reply:
        """The words for an allowance that is used up."""
        ...

    def in_queue(self) -> Reply:
        """The words for a submission of what is being worked on already."""
        ...


@dataclass
class Service:
    """A running explorer. ``rate_per_s`` is the allowance of each key over every window of a second."""

    dialect: Dialect
    faults: Faults
    rate_per_s: int | None = None
    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def answer(self, request: Request) -> Reply:
        with self._lock:
            fault = self.faults.meet(request.call)
            now_s = time.monotonic()
            self.asked.append(Asked(now_s, request, fault.name if fault else None))
            recent = [a for a in self.asked[-200:] if a.request.key == request.key and a.at_s > now_s - 1]
        if self.rate_per_s is not None and len(recent) > self.rate_per_s:
            return self.dialect.too_often()
        return fault.act(self, request) if fault else self.dialect.handle(request)

    def calls(self, call: str, address: str | None = None) -> list[Asked]:
        """Requests of one kind, in the order they came in; of one address where given."""
        found = [asked for asked in self.asked if asked.request.call == call]
        return [a for a in found if address is None or (a.request.address or "").lower() == address.lower()]

    def peak(self, key: str | None = None) -> int:
        """The most requests with ``key`` in any second."""
        times = [asked.at_s for asked in self.asked if asked.request.key == key]
        return max((sum(start <= at < start + 1 for at in times) for start in times), default=0)


@contextmanager
def serve(dialect: Dialect, *, rate_per_s: int | None = None, seed: int = 0) -> Iterator[Service]:
    """On a free loopback port, until the block ends."""
    service = Service(dialect, Faults(seed), rate_per_s)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(service))
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign] # clients that hang up are part of the tests
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    service.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield service
    finally:
        service.over.set()
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(service: Service) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1  # head and body in one packet
        timeout = 60

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            parts = urlsplit(self.path)
            fields = dict(parse_qsl(parts.query, keep_blank_values=True))
            if "x-www-form-urlencoded" in self.headers.get("Content-Type", ""):
                fields |= dict(parse_qsl(body.decode(), keep_blank_values=True))
            try:
                self._reply(service.answer(service.dialect.read(self.command, parts.path, fields, body)))
            except Drop:
                self.close_connection = True
            except Reset:
                # A socket that lingers for no time is closed with RST, unless it is shut down first, as the server would.
                self.connection.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
                os.close(self.connection.detach())
                self.close_connection = True

        do_GET = do_POST  # noqa: N815 - the base class looks for this name

        def _reply(self, reply: Reply) -> None:
            self.send_response(reply.status)
            for name, value in {"Content-Type": reply.kind, **reply.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(10**6 if reply.drip else len(reply.body)))
            self.end_headers()
            try:
                while reply.drip and not service.over.wait(0.05):
                    self.wfile.write(b" ")
                    self.wfile.flush()
                self.wfile.write(reply.body)
                self.wfile.flush()
            except OSError:
                self.close_connection = True  # the client has had enough

        def log_message(self, *_: object) -> None:
            """Quiet: a test's output is its own."""

    return Handler
