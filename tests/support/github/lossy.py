"""A proxy before GitHub's API that spoils one call of a run, or everything from one call on."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from urllib.parse import urlsplit

from tests.support.github.fake import serving

__all__ = ["FAULTS", "Lossy", "lossy"]

FAULTS = (
    "lost request",
    "lost reply",
    "502 before",
    "502 after",
    "truncated reply",
    "truncated request",
    "dead from here",
)


@dataclass
class Lossy:
    """``fault`` strikes at call number ``at``, counted from 0; with ``at`` below 0 never."""

    url: str = ""
    upstream: str = ""
    fault: str = ""
    at: int = -1
    calls: list[str] = field(default_factory=list)

    def arm(self, fault: str, at: int) -> None:
        self.fault, self.at, self.calls = fault, at, []

    def calm(self) -> None:
        self.arm("", -1)


@contextmanager
def lossy(upstream: str) -> Iterator[Lossy]:  # noqa: C901 - one handler, a case for each fault
    proxy = Lossy(upstream=upstream)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            number = len(proxy.calls)
            proxy.calls.append(f"{self.command} {self.path}")
            struck = proxy.at >= 0 and (number == proxy.at or (proxy.fault == "dead from here" and number > proxy.at))
            fault = proxy.fault if struck else ""
            if fault == "lost request" or (fault == "dead from here" and number > proxy.at):
                self._hang_up()
            elif fault == "502 before":
                self._reply(502, [], b"<html>bad gateway</html>")
            elif fault == "truncated request":
                self._forward(body[: len(body) // 2], announced=len(body))
                self._hang_up()
            else:
                status, headers, data = self._forward(body, announced=len(body))
                if fault in {"lost reply", "dead from here"}:
                    self._hang_up()
                elif fault == "502 after":
                    self._reply(502, [], b"<html>bad gateway</html>")
                elif fault == "truncated reply":
                    self._reply(status, headers, data, sent=len(data) // 2)
                else:
                    self._reply(status, headers, data)

        do_POST = do_PATCH = do_DELETE = do_GET  # noqa: N815 - the base class looks for these names

        def _forward(self, body: bytes, *, announced: int) -> tuple[int, list[tuple[str, str]], bytes]:
            host = urlsplit(proxy.upstream)
            connection = http.client.HTTPConnection(host.hostname or "", host.port, timeout=30)
            try:
                connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
                for name, value in self.headers.items():
                    if name.lower() not in {"connection", "content-length"}:
                        connection.putheader(name, value)
                connection.putheader("Content-Length", str(announced))
                connection.endheaders()
                connection.send(body)
                if len(body) < announced and connection.sock is not None:
                    connection.sock.shutdown(socket.SHUT_WR)
                answer = connection.getresponse()
                kept = [(k, v) for k, v in answer.getheaders() if k.lower() in {"content-type", "location"}]
                return answer.status, kept, answer.read()
            finally:
                connection.close()

        def _reply(self, status: int, headers: list[tuple[str, str]], data: bytes, sent: int | None = None) -> None:
            self.send_response(status)
            for name, value in headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data[:sent])
            if sent is not None:
                self._hang_up()

        def _hang_up(self) -> None:
            self.close_connection = True
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)

        def log_message(self, *_: object) -> None:
            """Quiet: a test's output is its own."""

    with serving(Handler) as proxy.url:
        yield proxy
