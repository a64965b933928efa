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
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

from chains.base import Clock, SystemClock
from chains.errors import Refused, Resumable, printable
from chains.jsontext import read_json
from chains.rpc_health import Health

__all__ = ["Endpoint", "Request", "Rpc", "RpcDown", "RpcFault", "RpcUnknown", "UrlRefused"]

Request = tuple[str, list[Any]]

MAX_REPLY_BYTES = 32 * 1024 * 1024
MAX_BATCH = 100
_OVERLOAD_FAULTS = {-32603, -32005, -32016, 429}
_REVERT = 3
_INTERNAL = -32603
_RUNS_CODE = {"eth_call", "eth_estimateGas", "eth_simulateV1"}
_ROUNDS = 4


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


Guard = Callable[[Endpoint], None]
"""Holds an endpoint against the chain that is wanted. Raises ``RpcUnknown``, or a ``Refused`` that says what it is."""


class Rpc:
    """The endpoints of one chain.

    The one that answered last is asked first; one that fails is put aside for a growing time and the next one takes
    over. After several failures in a row ``guard`` confirms that an endpoint still serves the same chain before its word
    counts again. ``patience_s`` bounds how long a read is retried before ``RpcDown``. Sends are never retried here: the
    state machine decides on them. ``submit`` are relays that take signed transactions in place of the endpoints;
    only with ``submit_fallback`` do the endpoints get what no relay took.
    """

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        *,
        submit: Sequence[Endpoint] = (),
        submit_fallback: bool = False,
        patience_s: float = 60.0,
        clock: Clock | None = None,
    ) -> None:
        self.endpoints = tuple(endpoints)
        self.submit = tuple(submit)
        self.submit_fallback = submit_fallback
        self.patience_s = patience_s
        self.clock: Clock = clock or SystemClock()
        self.guard: Guard | None = None
        self.answered_by = ""
        self._health = {id(endpoint): Health() for endpoint in (*self.endpoints, *self.submit)}
        self._first = 0
        for position, endpoint in enumerate(self.endpoints):
            if any(endpoint.label == other.label for other in self.endpoints[:position]):
                endpoint.label += f" (endpoint {position + 1})"

    @property
    def requests(self) -> int:
        return sum(endpoint.requests for endpoint in (*self.endpoints, *self.submit))

    @property
    def alone(self) -> bool:
        """Whether there is no second provider to ask."""
        return len(self.endpoints) < 2

    def put_aside(self, endpoint: Endpoint) -> None:
        """Ask the others first, and confirm this one's chain before it is asked again."""
        self._health[id(endpoint)].failed(self.clock, doubtful=True)

    def read(self, method: str, params: list[Any]) -> Any:
        """One answer. Raises ``RpcFault`` (reverts and refusals) or ``RpcDown``."""
        answer = self.read_all([(method, params)])[0]
        if isinstance(answer, RpcFault):
            raise answer
        return answer

    def read_all(self, requests: Sequence[Request]) -> list[Any | RpcFault]:
        """Answers of one endpoint, ``answered_by``, to all requests. Overload faults are retried; reverts are answers."""
        if not requests:
            return []
        deadline_s = self.clock.monotonic_s() + self.patience_s
        last, rounds = "no endpoint", 0
        while True:
            late = self.clock.monotonic_s() >= deadline_s
            rounds += 1
            for endpoint in self._in_turn(everyone=late):
                try:
                    answers = self._ask(endpoint, requests)
                except (RpcUnknown, Refused) as error:
                    last = error.cause if isinstance(error, Refused) else str(error)
                    continue
                overloaded = [] if late else self._overloaded(requests, answers, rounds)
                if overloaded:
                    self._health[id(endpoint)].failed(self.clock)
                    last = f"{endpoint.label}: {overloaded[0]}"
                    continue
                self._first = self.endpoints.index(endpoint)
                self.answered_by = endpoint.label
                return answers
            if late:
                raise RpcDown(
                    f"no RPC endpoint gave a usable answer for {self.patience_s:g} s ({last})",
                    remedy="Check the endpoints with `ship doctor`, then run the same command again.",
                )
            self.clock.sleep_s(self._until_one_is_back_s(deadline_s))

    def _in_turn(self, *, everyone: bool = False) -> list[Endpoint]:
        """Those not put aside, or all; the one that answered last first."""
        now_s = self.clock.monotonic_s()
        ring = self.endpoints[self._first :] + self.endpoints[: self._first]
        return [e for e in ring if everyone or self._health[id(e)].away_until_s <= now_s]

    def _until_one_is_back_s(self, deadline_s: float) -> float:
        back_s = min((self._health[id(e)].away_until_s for e in self.endpoints), default=deadline_s)
        return max(min(back_s, deadline_s) - self.clock.monotonic_s(), 0.005)

    def _ask(self, endpoint: Endpoint, requests: Sequence[Request]) -> list[Any | RpcFault]:
        """Its answers, its chain confirmed where that is in doubt. Raises ``RpcUnknown`` and what ``guard`` raises."""
        health = self._health[id(endpoint)]
        try:
            if health.doubtful and self.guard is not None:
                self.guard(endpoint)
            answers = endpoint.batch(requests)
        except RpcUnknown:
            health.failed(self.clock)
            raise
        except Refused:
            health.failed(self.clock, doubtful=True)
            raise
        health.worked()
        return answers

    @staticmethod
    def _overloaded(requests: Sequence[Request], answers: Sequence[Any | RpcFault], rounds: int) -> list[RpcFault]:
        """Faults that may pass. Of a call that runs code an internal error may also be its outcome (an invalid opcode on
        some nodes), so that it is asked again only a few times."""
        found = []
        for (method, _), answer in zip(requests, answers, strict=True):
            if not isinstance(answer, RpcFault) or answer.reverted or answer.code not in _OVERLOAD_FAULTS:
                continue
            if answer.code == _INTERNAL and method in _RUNS_CODE and rounds > _ROUNDS:
                continue
            found.append(answer)
        return found

    def second_words(self, requests: Sequence[Request], *, than: str) -> Iterator[tuple[str, list[Any | RpcFault]]]:
        """``(label, answers)`` of every other provider than the one called ``than``, one after another as asked for.

        For conclusions that need two (design law 3). Those that are put aside or give nothing usable are passed over.
        """
        now_s = self.clock.monotonic_s()
        for endpoint in self.endpoints:
            if endpoint.label == than or self._health[id(endpoint)].away_until_s > now_s:
                continue
            with contextlib.suppress(RpcUnknown, Refused):
                yield endpoint.label, self._ask(endpoint, requests)

    def send_all(self, requests: Sequence[Request], *, widely: bool = False) -> list[str]:
        """Hand signed transactions on, to the first provider that answers or (``widely``) to every one.

        With relays, to every relay and to nobody else, unless ``submit_fallback`` says so. The answers are hints for
        people, never conclusions (design law 3).
        """
        hints: list[str] = []
        if self.submit:
            taken = [self._hand(relay, requests, hints) for relay in self.submit]
            if any(taken) or not self.submit_fallback:
                return hints
        # One that was put aside is better than none: what it gets is bound to its chain id.
        for endpoint in self._in_turn() or self.endpoints:
            answered = self._hand(endpoint, requests, hints)
            if answered is not None and not widely:
                break
        return hints

    def _hand(self, endpoint: Endpoint, requests: Sequence[Request], hints: list[str]) -> bool | None:
        """Whether it took all of it; ``None`` when it gave no answer."""
        try:
            answers = endpoint.batch(requests)
        except RpcUnknown as error:
            self._health[id(endpoint)].failed(self.clock)
            hints.append(str(error))
            return None
        faults = [f"{endpoint.label}: {answer}" for answer in answers if isinstance(answer, RpcFault)]
        hints += faults
        return not faults

    def ask_each(self, method: str, params: list[Any]) -> list[Any | RpcFault | RpcUnknown]:
        """The answer of every endpoint, for conclusions that need more than one (design law 3)."""
        answers: list[Any | RpcFault | RpcUnknown] = []
        for endpoint in self.endpoints:
            try:
                answers += self._ask(endpoint, [(method, params)])
            except RpcUnknown as error:
                answers.append(error)
            except Refused as error:
                answers.append(RpcUnknown(error.cause))
        return answers
