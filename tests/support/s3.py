"""Shared state for a test: a bucket of ministack's, a proxy that loses requests and replies, projects that use both."""

from __future__ import annotations

import http.client
import itertools
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from pipeline.manifest.project import Project, load_project
from pipeline.state.local import ProjectState, TargetState
from pipeline.state.shared.bucket import Bucket
from pipeline.state.shared.opening import bucket_of
from tests.support.ministack import Ministack, ministack

__all__ = ["Clone", "Fault", "S3Box", "S3Proxy", "clone", "s3_box"]

_NUMBERS = itertools.count(1)


@dataclass
class Fault:
    """What happens to requests whose method and key it names, after letting ``after`` of them through.

    ``kind``: ``before`` (the service never sees it), ``after`` (it does, the reply is lost), or a status of its own.
    """

    method: str
    key: str
    kind: str | int
    times: int = 1
    after: int = 0
    fired: int = 0
    seen: int = 0

    def wants(self, method: str, path: str) -> bool:
        if method != self.method or self.key not in path:
            return False
        self.seen += 1
        if self.seen <= self.after or self.fired >= self.times:
            return False
        self.fired += 1
        return True


@dataclass
class S3Proxy:
    """``log`` holds method and path of every request; ``on_put`` is told of path and body of one before it is handed on.

    ``unconditional`` names a header of conditions that the service is made to ignore.
    """

    url: str = ""
    faults: list[Fault] = field(default_factory=list)
    log: list[tuple[str, str]] = field(default_factory=list)
    on_put: Callable[[str, bytes], None] | None = None
    unconditional: str = ""


@contextmanager
def s3_proxy(upstream: str) -> Iterator[S3Proxy]:
    proxy = S3Proxy()
    host = urlsplit(upstream)
    changing = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def handle_expect_100(self) -> bool:
            """At once: a client waits a second for it before it sends its body."""
            super().handle_expect_100()
            self.wfile.flush()
            return True

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            with changing:
                proxy.log.append((self.command, self.path))
                fault = next((f for f in proxy.faults if f.wants(self.command, self.path)), None)
            if self.command == "PUT" and proxy.on_put:
                proxy.on_put(self.path, body)
            if fault is not None and fault.kind != "after":
                if fault.kind == "before":
                    self.close_connection = True
                    return
                self._reply(int(fault.kind), [], b"<html>busy</html>")
                return
            connection = http.client.HTTPConnection(host.hostname or "", host.port, timeout=30)
            try:
                headers = {
                    k: v
                    for k, v in self.headers.items()
                    if k.lower() not in {"connection", "expect", proxy.unconditional}
                }
                connection.request(self.command, self.path, body, headers)
                answer = connection.getresponse()
                data = answer.read()
            finally:
                connection.close()
            if fault is not None:
                self.close_connection = True
                return
            kept = [(k, v) for k, v in answer.getheaders() if k.lower() not in {"content-length", "connection"}]
            self._reply(answer.status, kept, data)

        do_PUT = do_HEAD = do_POST = do_DELETE = do_GET  # noqa: N815 - the base class looks for these names

        def _reply(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
            self.send_response_only(status)
            for name, value in headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Quiet: a test's output is its own."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign] # clients that hang up are part of the tests
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    proxy.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield proxy
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class S3Box:
    """A service with a proxy before it, and a bucket for each test."""

    service: Ministack
    proxy: S3Proxy

    def bucket(self, *, versioning: bool = True) -> str:
        name = f"state-{next(_NUMBERS)}-{os.getpid()}"
        self.service.s3.create_bucket(Bucket=name)
        if versioning:
            self.service.s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        return name

    def table(self, bucket: str, more: str = "", *, lease_s: int = 2) -> str:
        """``[state]`` for a ship.toml, through the proxy."""
        return f'\n[state]\nbackend = "s3"\nbucket = "{bucket}"\nendpoint = "{self.proxy.url}"\nlease-s = {lease_s}\n{more}'

    def keys(self, bucket: str) -> list[str]:
        return [entry["Key"] for entry in self.service.s3.list_objects_v2(Bucket=bucket).get("Contents", [])]

    def text(self, bucket: str, key: str) -> str:
        return self.service.s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode()


@dataclass
class Clone:
    """A folder with a project of one target, ``t``, on shared state; no contracts are needed for its journal."""

    project: Project

    @property
    def state(self) -> TargetState:
        return ProjectState(self.project.root).target("t")

    @cached_property
    def bucket(self) -> Bucket:
        return bucket_of(self.project)


def clone(folder: Path, table: str, rpc: str = "http://127.0.0.1:1") -> Clone:
    (folder / "manifests").mkdir(parents=True)
    (folder / "ship.toml").write_text(f'schema = 1\n[project]\nname = "p"\nversion = "1.0.0"\n{table}')
    (folder / "manifests" / "t.toml").write_text(
        f'schema = 1\nchain = {{ name = "test", id = 31337, block-time-ms = 200 }}\n[rpc]\nendpoints = ["{rpc}"]\n'
    )
    return Clone(load_project(folder))


@contextmanager
def s3_box() -> Iterator[S3Box]:
    with ministack() as service, s3_proxy(service.url) as proxy:
        yield S3Box(service, proxy)
