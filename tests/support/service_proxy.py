"""An HTTP proxy in front of a real service, which answers in its place when a test says so."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

__all__ = ["Answer", "ServiceProxy", "service_proxy"]


@dataclass(frozen=True)
class Answer:
    """``drip`` bytes come one by one, for as long as somebody reads."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    drip: bool = False


Meddle = Callable[[str, bytes], "Answer | None"]


@dataclass
class ServiceProxy:
    """``meddle`` gets the operation's name and the request's body; ``None`` lets it through. ``requests`` counts all."""

    url: str
    meddle: Meddle = lambda operation, body: None
    requests: int = 0
    seen: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)


@contextmanager
def service_proxy(upstream: str) -> Iterator[ServiceProxy]:
    proxy = ServiceProxy("")
    host = urlsplit(upstream)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            operation = self.headers.get("X-Amz-Target", self.path).rpartition(".")[2]
            proxy.requests += 1
            proxy.seen.append(operation)
            self._reply(proxy.meddle(operation, body) or self._forward(body))

        do_GET = do_POST  # noqa: N815 - the base class looks for this name

        def _forward(self, body: bytes) -> Answer:
            connection = http.client.HTTPConnection(host.hostname or "", host.port, timeout=30)
            try:
                headers = {k: v for k, v in self.headers.items() if k.lower() not in {"connection", "expect"}}
                connection.request(self.command, self.path, body, headers)
                answer = connection.getresponse()
                kind = answer.getheader("Content-Type", "application/octet-stream")
                return Answer(answer.status, answer.read(), {"Content-Type": kind})
            finally:
                connection.close()

        def _reply(self, answer: Answer) -> None:
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(10**6 if answer.drip else len(answer.body)))
            self.end_headers()
            try:
                while answer.drip and not proxy.over.wait(0.05):
                    self.wfile.write(b" ")
                    self.wfile.flush()
                self.wfile.write(answer.body)
            except OSError:
                self.close_connection = True  # the client has had enough

        def log_message(self, *_: object) -> None:
            """Quiet: a test's output is its own."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    proxy.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield proxy
    finally:
        proxy.over.set()
        server.shutdown()
        thread.join()
        server.server_close()
