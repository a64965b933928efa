"""An HTTP server on a loopback port that answers as a test's script says, and keeps what it was asked and when."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.support.service_proxy import Answer

__all__ = ["Asked", "ScriptedServer", "json_answer", "scripted_server"]


@dataclass(frozen=True)
class Asked:
    """``fields`` are those of the query and of a form together."""

    method: str
    path: str
    fields: dict[str, str]
    body: bytes
    at_s: float


Script = Callable[[Asked], "Answer | None"]
"""``None``: the request was read, and the connection is closed without a word."""


@dataclass
class ScriptedServer:
    url: str = ""
    script: Script = lambda asked: Answer(404)
    asked: list[Asked] = field(default_factory=list)

    def actions(self) -> list[str]:
        """The actions of the Etherscan dialect that were asked for, in order."""
        return [a.fields.get("action", a.path) for a in self.asked]


def json_answer(value: Any, status: int = 200, **headers: str) -> Answer:
    return Answer(status, json.dumps(value).encode(), {"Content-Type": "application/json", **headers})


@contextmanager
def scripted_server(script: Script | None = None) -> Iterator[ScriptedServer]:
    scripted = ScriptedServer()
    if script is not None:
        scripted.script = script
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            parts = urlsplit(self.path)
            fields = dict(parse_qsl(parts.query))
            if "form-urlencoded" in self.headers.get("Content-Type", ""):
                fields |= dict(parse_qsl(body.decode(), keep_blank_values=True))
            asked = Asked(self.command, parts.path, fields, body, time.monotonic())
            with lock:
                scripted.asked.append(asked)
                answer = scripted.script(asked)
            if answer is None:
                self.close_connection = True
                return
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        do_GET = do_POST  # noqa: N815 - the base class looks for this name

        def log_message(self, *_: object) -> None:
            """Quiet: a test's output is its own."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign] # clients that hang up are part of the tests
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    scripted.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield scripted
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
