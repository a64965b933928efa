"""JSON-RPC over HTTP that believes nothing it cannot check.

    RpcUnknown   no usable answer: the node may or may not have acted (transport, HTTP status, garbage, wrong id)
    RpcFault     the node answered with a JSON-RPC error object; its text is shown, never interpreted (design law 3)

Caps: reply size, time for the whole reply (a drip cannot hold a run), no redirects, TLS verified. The URL appears in
no message: endpoints are named by their host.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import random
import socket
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

from chains.base import Clock, SystemClock
from chains.errors import Refused, Resumable, printable
from chains.jsontext import read_json

__all__ = ["Endpoint", "Request", "Rpc", "RpcDown", "RpcFault", "RpcUnknown", "UrlRefused"]

Request = tuple[str, list[Any]]

MAX_REPLY_BYTES = 32 * 1024 * 1024
MAX_BATCH = 100
_OVERLOAD_FAULTS = {-32603, -32005, -32016, 429}
_REVERT = 3


class UrlRefused(Refused):
    """SHIP-N01: an endpoint that is not http(s)."""

    code = "SHIP-N01"


class RpcDown(Resumable):
    """SHIP-N02: no endpoint gave a usable answer within the patience of the run."""

    code = "SHIP-N02"


class RpcUnknown(Exception):
    """No usable answer. Whatever was asked for may have happened."""


class RpcFault(Exception):
    """A JSON-RPC error object. ``data`` is the revert data (0x hex) where the node gave any."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        self.message = printable(message, 300).replace("\n", "\\n")  # a line break could pass for a line of ours
        super().__init__(f"{self.message} ({code})")
        self.code = code
        self.data = data if isinstance(data, str) else None

    @property
    def reverted(self) -> bool:
        return self.code == _REVERT or (self.data is not None and self.data.startswith("0x"))


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


@dataclass
class Endpoint:
    """One node. ``label`` is what people see instead of the URL."""

    url: str
    timeout_s: float = 20.0
    label: str = ""
    requests: int = 0
    _ids: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    _pool: urllib3.PoolManager = field(default_factory=_pool)

    def __post_init__(self) -> None:
        refused = UrlRefused(
            "an RPC endpoint is not an http:// or https:// URL", remedy="Correct `endpoints` under [rpc]."
        )
        try:
            parts = urlsplit(self.url)
            host, port = parts.hostname, parts.port
        except ValueError:  # its text holds the URL, and that may hold a key
            raise refused from None
        if parts.scheme not in {"http", "https"} or not host or port == 0:
            raise refused
        self.label = self.label or (f"{host}:{port}" if port else host)

    def batch(self, requests: Sequence[Request]) -> list[Any | RpcFault]:
        """Answers in the order asked, an ``RpcFault`` in the place of a refused one. Raises ``RpcUnknown``."""
        answers: list[Any | RpcFault] = []
        for start in range(0, len(requests), MAX_BATCH):
            answers += self._batch(requests[start : start + MAX_BATCH])
        return answers

    def _batch(self, requests: Sequence[Request]) -> list[Any | RpcFault]:
        calls = [{"jsonrpc": "2.0", "id": next(self._ids), "method": m, "params": p} for m, p in requests]
        single = len(calls) == 1
        reply = self._post(calls[0] if single else calls)
        if not single and isinstance(reply, dict) and "error" in reply:
            return [self._batch([request])[0] for request in requests]  # this node takes no batches, or none so long
        items = [reply] if single else reply
        if not isinstance(items, list):
            raise RpcUnknown(f"{self.label} answered a batch with something else")
        by_id = {item["id"]: item for item in items if isinstance(item, dict) and isinstance(item.get("id"), int)}
        answers = []
        for call in calls:
            item = by_id.get(call["id"])
            if item is None or ("result" not in item) == ("error" not in item):
                raise RpcUnknown(f"{self.label} left {call['method']} unanswered")
            answers.append(item["result"] if "result" in item else self._fault(item["error"]))
        return answers

    @staticmethod
    def _fault(error: Any) -> RpcFault:
        if not isinstance(error, dict):
            return RpcFault(0, str(error))
        code = error.get("code")
        return RpcFault(code if isinstance(code, int) else 0, str(error.get("message", "")), error.get("data"))

    def _post(self, body: Any) -> Any:
        self.requests += 1
        deadline_s = SystemClock().monotonic_s() + self.timeout_s
        try:
            response = self._pool.request(
                "POST",
                self.url,
                body=json.dumps(body, separators=(",", ":")),
                headers={"content-type": "application/json"},
                timeout=urllib3.Timeout(connect=min(5.0, self.timeout_s), read=self.timeout_s),
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
            raise RpcUnknown(f"{self.label}: {type(error).__name__}") from error
        if response.status != 200:
            raise RpcUnknown(f"{self.label}: HTTP status {response.status}")
        try:
            return read_json(data)
        except ValueError as error:
            raise RpcUnknown(f"{self.label}: the reply is not JSON") from error

    def _read(self, response: urllib3.BaseHTTPResponse, deadline_s: float) -> bytes:
        data = bytearray()
        while chunk := response.read1(65_536):
            data += chunk
            if len(data) > MAX_REPLY_BYTES:
                raise RpcUnknown(f"{self.label}: the reply is larger than {MAX_REPLY_BYTES} bytes")
            if SystemClock().monotonic_s() > deadline_s:
                raise RpcUnknown(f"{self.label}: the reply took longer than {self.timeout_s:g} s")
        return bytes(data)


class Rpc:
    """The endpoints of one chain, asked in order until one answers.

    ``patience_s`` bounds how long a read is retried before ``RpcDown``. Sends are never retried here: the state
    machine decides on them.
    """

    def __init__(self, endpoints: Sequence[Endpoint], *, patience_s: float = 60.0, clock: Clock | None = None) -> None:
        self.endpoints = tuple(endpoints)
        self.patience_s = patience_s
        self.clock: Clock = clock or SystemClock()
        self._random = random.SystemRandom()

    @property
    def requests(self) -> int:
        return sum(endpoint.requests for endpoint in self.endpoints)

    def read(self, method: str, params: list[Any]) -> Any:
        """One answer. Raises ``RpcFault`` (reverts and refusals) or ``RpcDown``."""
        answer = self.read_all([(method, params)])[0]
        if isinstance(answer, RpcFault):
            raise answer
        return answer

    def read_all(self, requests: Sequence[Request]) -> list[Any | RpcFault]:
        """Answers of one endpoint to all requests. Overload faults are retried; reverts are answers."""
        if not requests:
            return []
        deadline_s = self.clock.monotonic_s() + self.patience_s
        delay_s, last = 0.1, "no endpoint"
        while True:
            for endpoint in self.endpoints:
                try:
                    answers = endpoint.batch(requests)
                except RpcUnknown as error:
                    last = str(error)
                    continue
                overloaded = [a for a in answers if isinstance(a, RpcFault) and self._overloaded(a)]
                if not overloaded or self.clock.monotonic_s() >= deadline_s:
                    return answers
                last = f"{endpoint.label}: {overloaded[0]}"
            if self.clock.monotonic_s() >= deadline_s:
                raise RpcDown(
                    f"no RPC endpoint gave a usable answer for {self.patience_s:g} s ({last})",
                    remedy="Check the endpoints with `ship doctor`, then run the same command again.",
                )
            self.clock.sleep_s(delay_s * (0.5 + self._random.random()))
            delay_s = min(delay_s * 2, 5.0)

    @staticmethod
    def _overloaded(fault: RpcFault) -> bool:
        return fault.code in _OVERLOAD_FAULTS and not fault.reverted

    def send_all(self, requests: Sequence[Request]) -> list[str]:
        """Hand requests to every endpoint once. The answers are hints for people, never conclusions (design law 3)."""
        hints = []
        for endpoint in self.endpoints:
            try:
                answers = endpoint.batch(requests)
            except RpcUnknown as error:
                hints.append(str(error))
                continue
            hints += [f"{endpoint.label}: {answer}" for answer in answers if isinstance(answer, RpcFault)]
        return hints

    def ask_each(self, method: str, params: list[Any]) -> list[Any | RpcFault | RpcUnknown]:
        """The answer of every endpoint, for conclusions that need more than one (design law 3)."""
        answers: list[Any | RpcFault | RpcUnknown] = []
        for endpoint in self.endpoints:
            try:
                answers += endpoint.batch([(method, params)])
            except RpcUnknown as error:
                answers.append(error)
        return answers
