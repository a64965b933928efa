"""A loopback proxy that counts HTTP requests and JSON-RPC calls, and can fail a share of them, seeded."""

from __future__ import annotations

import http.client
import http.server
import json
import random
import threading
import time
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass
class Counts:
    """What passed through: HTTP requests, and the JSON-RPC calls inside them."""

    http: int = 0
    calls: int = 0
    failed: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


class CountingProxy:
    """Forwards to ``upstream`` after ``latency_s``, as the way to a hosted node takes.

    ``failing`` is the share of requests answered with 503, -32603 or a reset instead.
    """

    def __init__(self, upstream: str, *, latency_s: float = 0.0, failing: float = 0.0, seed: int = 1) -> None:
        self.counts = Counts()
        parts = urlsplit(upstream)
        counts, choice = self.counts, random.Random(seed)

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # else every reply waits 40 ms for the client's delayed acknowledgement

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                asked = json.loads(body)
                with counts.lock:
                    counts.http += 1
                    counts.calls += len(asked) if isinstance(asked, list) else 1
                    fails = choice.random() < failing
                    kind = choice.choice(["status", "fault", "reset"])
                    counts.failed += fails
                time.sleep(latency_s)
                if fails:
                    self._fail(kind, asked)
                    return
                upstream_connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
                upstream_connection.request("POST", "/", body, {"content-type": "application/json"})
                response = upstream_connection.getresponse()
                data = response.read()
                upstream_connection.close()
                self._answer(response.status, data)

            def _fail(self, kind: str, asked: object) -> None:
                if kind == "reset":
                    self.close_connection = True
                    self.connection.close()
                elif kind == "status":
                    self._answer(503, b"")
                else:
                    items = asked if isinstance(asked, list) else [asked]
                    error = {"code": -32603, "message": "internal error"}
                    answers = [{"jsonrpc": "2.0", "id": item["id"], "error": error} for item in items]
                    self._answer(200, json.dumps(answers if isinstance(asked, list) else answers[0]).encode())

            def _answer(self, status: int, data: bytes) -> None:
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Quiet."""

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: object, client_address: object) -> None:
                """A client that went away is nothing to report."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
