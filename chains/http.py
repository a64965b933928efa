"""HTTP that cannot hold a run: caps on size and time, no redirects, TLS verified, connections kept alive.

``HttpFailed`` says nothing of whether the request arrived; what follows from that is the caller's to decide. No message
holds a URL, whose path or query may be a key: a client is named by its ``label``.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

from chains.base import SystemClock
from chains.errors import Refused

__all__ = ["HttpClient", "HttpFailed", "Response", "UrlRefused"]

_CONNECT_S = 5.0


class UrlRefused(Refused):
    """SHIP-N01: an address that is not http(s)."""

    code = "SHIP-N01"


class HttpFailed(Exception):
    """No whole reply within the caps. The request may have arrived, unless ``unsent``: there was never a connection."""

    def __init__(self, message: str, *, unsent: bool = False) -> None:
        super().__init__(message)
        self.unsent = unsent


class _InTime:
    """Bounds the wait for status line and headers: a socket's timeout starts anew with every byte that drips in."""

    sock: socket.socket | None
    timeout: Any

    def getresponse(self) -> Any:
        sock = self.sock
        timer = threading.Timer(float(self.timeout), _shut_down, [sock])
        timer.daemon = True
        timer.start()
        try:
            return super().getresponse()  # type: ignore[misc]
        finally:
            timer.cancel()


def _shut_down(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)


class _Http(_InTime, HTTPConnection):
    pass


class _Https(_InTime, HTTPSConnection):
    pass


class _HttpPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Http


class _HttpsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _Https


def _pool() -> urllib3.PoolManager:
    pool = urllib3.PoolManager(retries=False, maxsize=4)
    pool.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}
    return pool


@dataclass(frozen=True)
class Response:
    """A whole reply: HTTP status, headers by lower-case name, body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class HttpClient:
    """Requests to one host. ``timeout_s`` bounds a whole reply, ``max_bytes`` its body.

    Raises ``UrlRefused`` for anything but an http:// or https:// URL with a host.
    """

    def __init__(self, url: str, *, timeout_s: float, max_bytes: int, label: str = "") -> None:
        # The text of the parser's error holds the URL, and that may hold a key.
        refused = UrlRefused(
            "an RPC endpoint or service is not an http:// or https:// URL",
            remedy="Correct it in the target's manifest.",
        )
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            raise refused from None
        if parts.scheme not in {"http", "https"} or not host or port == 0:
            raise refused
        self.url = url
        self.timeout_s = timeout_s
        self.max_bytes = max_bytes
        self.label = label or (f"{host}:{port}" if port else host)
        self._requests = _pool()

    def request(
        self, method: str, path: str = "", *, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Response:
        """One request, never repeated; ``path`` is appended to the URL. Raises ``HttpFailed``."""
        clock = SystemClock()
        deadline_s = clock.monotonic_s() + self.timeout_s
        try:
            response = self._requests.request(
                method,
                self.url + path,
                body=body,
                headers=dict(headers or {}),
                timeout=urllib3.Timeout(connect=min(_CONNECT_S, self.timeout_s), read=self.timeout_s),
                redirect=False,
                preload_content=False,
            )
            try:
                data = self._read(response, deadline_s)
            except BaseException:
                response.close()
                raise
            response.release_conn()
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            unsent = isinstance(error, urllib3.exceptions.NewConnectionError | urllib3.exceptions.ConnectTimeoutError)
            raise HttpFailed(f"{self.label}: {type(error).__name__}", unsent=unsent) from error
        return Response(response.status, {k.lower(): v for k, v in response.headers.items()}, data)

    def _read(self, response: urllib3.BaseHTTPResponse, deadline_s: float) -> bytes:
        data = bytearray()
        while chunk := response.read1(65_536):
            data += chunk
            if len(data) > self.max_bytes:
                raise HttpFailed(f"{self.label}: the reply is larger than {self.max_bytes} bytes")
            if SystemClock().monotonic_s() > deadline_s:
                raise HttpFailed(f"{self.label}: the reply took longer than {self.timeout_s:g} s")
        return bytes(data)
