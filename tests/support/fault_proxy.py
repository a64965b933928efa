"""A seeded fault-injecting JSON-RPC proxy in front of a real node (the kinds of faults.md).

Faults are rules, tried in order for every request of a batch; a rule says which methods it is about, how often it
fires, and what it does. ``sent`` logs the hash of every transaction that reached the node (oracle O2), in order.

    proxy.add(drop_after("eth_sendRawTransaction", times=1))
"""

from __future__ import annotations

import json
import random
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar

from chains.evm.address import keccak256

SEND = "eth_sendRawTransaction"
RECEIPTS = ("eth_getTransactionReceipt", "eth_getBlockReceipts")
Call = dict[str, Any]
Answer = dict[str, Any]


class Drop(Exception):
    """Close the connection without an answer."""


class HttpReply(Exception):
    """Answer the whole HTTP request with this."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(status)
        self.status = status
        self.body = body


Act = Callable[["FaultProxy", Call], Answer]


@dataclass
class Rule:
    """``times`` is how often it fires (``None``: always); ``chance`` is drawn from the proxy's seeded generator."""

    name: str
    methods: tuple[str, ...]
    act: Act
    times: int | None = 1
    chance: float = 1.0
    after: int = 0
    fired: int = 0
    seen: int = 0

    def wants(self, call: Call, draw: float) -> bool:
        if self.methods and call["method"] not in self.methods:
            return False
        self.seen += 1
        if self.seen <= self.after or (self.times is not None and self.fired >= self.times) or draw >= self.chance:
            return False
        self.fired += 1
        return True


@dataclass
class FaultProxy:
    """Forwards to ``target``; see the module's docstring."""

    target: str
    seed: int = 0
    rules: list[Rule] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    before_send: Callable[[str], None] | None = None
    after_send: Callable[[str], None] | None = None
    url: str = ""

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._lock = threading.Lock()

    def add(self, *rules: Rule) -> None:
        with self._lock:
            self.rules += rules

    def clear(self) -> None:
        with self._lock:
            self.rules.clear()

    def forward(self, call: Call) -> Answer:
        """Hand one request to the node."""
        if call["method"] == SEND:
            raw = bytes.fromhex(call["params"][0][2:])
            digest = "0x" + keccak256(raw).hex()
            with self._lock:
                self.sent.append(digest)
            if self.before_send:
                self.before_send(digest)
        request = urllib.request.Request(
            self.target, json.dumps(call).encode(), {"content-type": "application/json"}, method="POST"
        )
        with urllib.request.urlopen(request, timeout=30) as response:
            answer = dict(json.load(response))
        if call["method"] == SEND and self.after_send:
            self.after_send(digest)
        return answer

    def answer(self, call: Call) -> Answer:
        with self._lock:
            self.calls.append(call["method"])
            rule = next((r for r in self.rules if r.wants(call, self._random.random())), None)
        return rule.act(self, call) if rule else self.forward(call)


Proxy = TypeVar("Proxy", bound=FaultProxy)


def ok(call: Call, result: Any) -> Answer:
    return {"jsonrpc": "2.0", "id": call["id"], "result": result}


def fault(call: Call, code: int, message: str) -> Answer:
    return {"jsonrpc": "2.0", "id": call["id"], "error": {"code": code, "message": message}}


# -- the kinds of fault ----------------------------------------------------------------------------------------------


def drop_before(*methods: str, times: int | None = 1, chance: float = 1.0, after: int = 0) -> Rule:
    def act(proxy: FaultProxy, call: Call) -> Answer:
        raise Drop

    return Rule("drop before", methods, act, times, chance, after)


def drop_after(*methods: str, times: int | None = 1, chance: float = 1.0, after: int = 0) -> Rule:
    def act(proxy: FaultProxy, call: Call) -> Answer:
        proxy.forward(call)
        raise Drop

    return Rule("drop after", methods, act, times, chance, after)


def http_status(
    status: int, *methods: str, forwarded: bool = False, times: int | None = 1, chance: float = 1.0, after: int = 0
) -> Rule:
    def act(proxy: FaultProxy, call: Call) -> Answer:
        if forwarded:
            proxy.forward(call)
        raise HttpReply(status, b"<html>busy</html>")

    return Rule(f"HTTP {status}", methods, act, times, chance, after)


def rpc_error(
    code: int,
    message: str,
    *methods: str,
    forwarded: bool = False,
    times: int | None = 1,
    chance: float = 1.0,
    after: int = 0,
) -> Rule:
    """A JSON-RPC error object; with ``forwarded`` the node got the request all the same."""

    def act(proxy: FaultProxy, call: Call) -> Answer:
        if forwarded:
            proxy.forward(call)
        return fault(call, code, message)

    return Rule(f"error {message}", methods, act, times, chance, after)


def no_overrides() -> Rule:
    """A node that takes no third parameter of ``eth_call``."""

    def act(proxy: FaultProxy, call: Call) -> Answer:
        if len(call["params"]) > 2:
            return fault(call, -32602, "too many arguments, want at most 2")
        return proxy.forward(call)

    return Rule("no state overrides", ("eth_call",), act, None)


def delay(seconds: float, *methods: str, times: int | None = 1, chance: float = 1.0) -> Rule:
    def act(proxy: FaultProxy, call: Call) -> Answer:
        time.sleep(seconds)
        return proxy.forward(call)

    return Rule("delay", methods, act, times, chance)


def duplicate(*methods: str, times: int | None = 1, chance: float = 1.0) -> Rule:
    """Delivered twice; the second answer counts."""

    def act(proxy: FaultProxy, call: Call) -> Answer:
        proxy.forward(call)
        return proxy.forward(call)

    return Rule("duplicate", methods, act, times, chance)


def swallow(times: int | None = 1, chance: float = 1.0, after: int = 0) -> Rule:
    """A send that is answered with its hash and goes nowhere."""

    def act(proxy: FaultProxy, call: Call) -> Answer:
        return ok(call, "0x" + keccak256(bytes.fromhex(call["params"][0][2:])).hex())

    return Rule("swallow", (SEND,), act, times, chance, after)


def result(value: Any, *methods: str, times: int | None = 1, chance: float = 1.0, after: int = 0) -> Rule:
    """A made-up result, e.g. ``None`` for receipts, another chain id, a frozen nonce."""

    def act(proxy: FaultProxy, call: Call) -> Answer:
        return ok(call, value(proxy, call) if callable(value) else value)

    return Rule("result", methods, act, times, chance, after)


def receipts_with(fields: dict[str, str], times: int | None = None) -> Rule:
    """Receipts in which some fields say something else, however they are asked for."""

    def act(proxy: FaultProxy, call: Call) -> Answer:
        answer = proxy.forward(call)
        receipts = answer["result"] if isinstance(answer["result"], list) else [answer["result"]]
        for receipt in (one for one in receipts if one):
            receipt.update(fields)
        return answer

    return Rule("receipts with other fields", RECEIPTS, act, times)


def receipts_null(seconds: float) -> Rule:
    """No receipts for some seconds from the first time one is asked for."""
    first: list[float] = []

    def act(proxy: FaultProxy, call: Call) -> Answer:
        first[:] = first or [time.monotonic()]
        return ok(call, None) if time.monotonic() - first[0] < seconds else proxy.forward(call)

    return Rule("receipts null", RECEIPTS, act, None)


def stale_head(blocks: int, times: int | None = None) -> Rule:
    """A node ``blocks`` behind: its head, and the nonce at its head."""

    def act(proxy: FaultProxy, call: Call) -> Answer:
        if "latest" not in call["params"]:
            return proxy.forward(call)
        head = int(proxy.forward({"jsonrpc": "2.0", "id": 1, "method": "eth_blockNumber", "params": []})["result"], 16)
        behind = hex(max(head - blocks, 0))
        return proxy.forward({**call, "params": [behind if p == "latest" else p for p in call["params"]]})

    return Rule("stale head", ("eth_getBlockByNumber", "eth_getTransactionCount", "eth_getCode"), act, times)


def body(
    make: Callable[[bytes], bytes], *methods: str, forwarded: bool = True, times: int | None = 1, after: int = 0
) -> Rule:
    """Another body than the node's (truncated, oversized, garbage), with status 200."""

    def act(proxy: FaultProxy, call: Call) -> Answer:
        answer = proxy.forward(call) if forwarded else ok(call, None)
        raise HttpReply(200, make(json.dumps(answer).encode()))

    return Rule("body", methods, act, times, after=after)


def truncated(*methods: str, times: int | None = 1, after: int = 0) -> Rule:
    return body(lambda data: data[: len(data) // 2], *methods, times=times, after=after)


def garbage(*methods: str, times: int | None = 1, after: int = 0) -> Rule:
    return body(lambda data: b"\x00\xff{]" + data[:9], *methods, times=times, after=after)


def oversized(size: int, *methods: str, times: int | None = 1, after: int = 0) -> Rule:
    return body(lambda data: b'{"pad":"' + b"x" * size + b'"}', *methods, times=times, after=after)


def wrong_id(*methods: str, times: int | None = 1, after: int = 0) -> Rule:
    def act(proxy: FaultProxy, call: Call) -> Answer:
        return {**proxy.forward(call), "id": call["id"] + 1_000_000}

    return Rule("wrong id", methods, act, times, after=after)


def storm(seed_share: float = 0.15) -> list[Rule]:
    """A bit of everything, each with its own chance."""
    return [
        drop_before(times=None, chance=seed_share / 5),
        drop_after(SEND, times=None, chance=seed_share),
        http_status(429, times=None, chance=seed_share / 5),
        http_status(503, SEND, forwarded=True, times=None, chance=seed_share),
        swallow(times=None, chance=seed_share),
        duplicate(SEND, times=None, chance=seed_share),
        rpc_error(-32000, "nonce too low", SEND, forwarded=True, times=None, chance=seed_share),
        rpc_error(-32000, "already known", SEND, times=None, chance=seed_share),
        result(None, *RECEIPTS, times=None, chance=seed_share),
    ]


# -- the server ------------------------------------------------------------------------------------------------------


def _handler(proxy: FaultProxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # else every reply waits 40 ms for a delayed acknowledgement
        timeout = 60

        def log_message(self, *args: Any) -> None:
            pass

        def do_POST(self) -> None:
            self.close_connection = True
            try:
                request = json.loads(self.rfile.read(int(self.headers["content-length"])))
                self._reply(self._answer(request))
                self.close_connection = False
            except (Drop, OSError, ValueError):
                pass  # a dropped answer, or a client that is gone

        @staticmethod
        def _answer(request: Any) -> HttpReply:
            try:
                calls = request if isinstance(request, list) else [request]
                answers = [proxy.answer(call) for call in calls]
            except HttpReply as instead:
                return instead
            return HttpReply(200, json.dumps(answers if isinstance(request, list) else answers[0]).encode())

        def _reply(self, reply: HttpReply) -> None:
            self.send_response(reply.status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

    return Handler


@contextmanager
def fault_proxy(target: str, seed: int = 0) -> Iterator[FaultProxy]:
    """A proxy on a free loopback port."""
    with served(FaultProxy(target, seed)) as proxy:
        yield proxy


@contextmanager
def served(proxy: Proxy) -> Iterator[Proxy]:
    """``proxy``, answering on a free loopback port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(proxy))
    server.daemon_threads = True
    proxy.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
