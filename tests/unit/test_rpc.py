"""JSON-RPC against a server that lies, stalls and rambles. Nothing it does may hold, fool or crash a run."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

import chains.rpc_endpoint
from chains.rpc import Endpoint, Rpc, RpcDown, RpcFault, RpcUnknown, UrlRefused
from tests.support.hostile import Client, Hostile, hostile

ONE = [("eth_chainId", [])]
TWO: list[tuple[str, list[Any]]] = [("eth_chainId", []), ("eth_blockNumber", [])]


@pytest.fixture
def server() -> Iterator[Hostile]:
    with hostile() as running:
        yield running


class Hasty:
    """A clock that sleeps a hundredth of what it is told, and adds the rest."""

    def __init__(self) -> None:
        self.extra_s = 0.0

    def monotonic_s(self) -> float:
        return time.monotonic() + self.extra_s

    def sleep_s(self, seconds: float) -> None:
        time.sleep(seconds / 100)
        self.extra_s += seconds * 0.99


def endpoint(server: Hostile, timeout_s: float = 2.0) -> Endpoint:
    return Endpoint(server.url, timeout_s=timeout_s)


def good(client: Client) -> None:
    client.answer(lambda call: "0x1" if call["method"] == "eth_chainId" else "0x2")


def test_answers_come_in_the_order_asked_whatever_order_they_arrived_in(server: Hostile) -> None:
    def backwards(client: Client) -> None:
        client.json([{"jsonrpc": "2.0", "id": c["id"], "result": c["method"]} for c in reversed(client.body)])

    server.play(backwards)
    many: list[tuple[str, list[Any]]] = [(f"m{i}", []) for i in range(250)]
    assert endpoint(server).batch(many) == [m for m, _ in many]
    assert [len(r) for r in server.requests] == [100, 100, 50]


def _ids(client: Client, change: Any) -> None:
    client.json([{"jsonrpc": "2.0", "id": change(c["id"]), "result": "0x1"} for c in client.body])


UNKNOWN = {
    "garbage": lambda c: c.http(b"\x00\x01\xff{"),
    "html with 200": lambda c: c.http(b"<html>maintenance</html>"),
    "empty": lambda c: c.http(b""),
    "null": lambda c: c.http(b"null"),
    "a number": lambda c: c.http(b"1"),
    "deep nesting": lambda c: c.http(b"[" * 200_000),
    "huge integer": lambda c: c.http(b'[{"id":1,"result":' + b"9" * 10_000 + b"}]"),
    "not utf-8": lambda c: c.http(b'{"id":1,"result":"\xff\xfe"}'),
    "wrong ids": lambda c: _ids(c, lambda i: i + 7),
    "ids as text": lambda c: _ids(c, str),
    "ids null": lambda c: _ids(c, lambda i: None),
    "one left out": lambda c: c.json([{"id": c.body[0]["id"], "result": "0x1"}]),
    "result and error": lambda c: c.json([{"id": x["id"], "result": 1, "error": {}} for x in c.body]),
    "neither result nor error": lambda c: c.json([{"id": x["id"]} for x in c.body]),
    "one object for a batch": lambda c: c.json({"id": c.body[0]["id"], "result": "0x1"}),
    "truncated": lambda c: (c.http(b'[{"id":', length=500), c.connection.close()),
    "no answer": lambda c: c.connection.close(),
    "not http": lambda c: c.raw(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"),
    "bad chunks": lambda c: c.raw(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"),
    "bad gzip": lambda c: c.http(b"abc", headers="content-encoding: gzip\r\n"),
    "429": lambda c: c.json([], "429 Too Many Requests"),
    "502": lambda c: c.http(b"<html>", "502 Bad Gateway"),
    "503": lambda c: c.http(b"", "503 Service Unavailable"),
    "204": lambda c: c.raw(b"HTTP/1.1 204 No Content\r\n\r\n"),
}


@pytest.mark.parametrize("kind", UNKNOWN)
def test_71_what_is_no_answer_is_unknown_and_never_shows_the_url(server: Hostile, kind: str) -> None:
    server.play(UNKNOWN[kind])
    with pytest.raises(RpcUnknown) as caught:
        endpoint(server).batch(TWO)
    assert "SECRETKEY" not in str(caught.value)


@pytest.mark.parametrize(
    "status", ["301 Moved Permanently", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"]
)
def test_68_a_redirect_is_not_followed(server: Hostile, status: str) -> None:
    with hostile() as elsewhere:
        elsewhere.play(good)
        server.play(lambda c: c.http(b"", status, f"location: {elsewhere.url}\r\n"))
        with pytest.raises(RpcUnknown):
            endpoint(server).batch(ONE)
        assert elsewhere.requests == []


def test_70_a_reply_of_64_mib_is_cut_off(server: Hostile) -> None:
    server.play(lambda c: c.http(b'"' + b"x" * (64 * 1024 * 1024) + b'"'))
    with pytest.raises(RpcUnknown, match="larger than"):
        endpoint(server, 10.0).batch(ONE)


def test_a_gzip_bomb_is_cut_off(server: Hostile, monkeypatch: pytest.MonkeyPatch) -> None:
    import gzip

    monkeypatch.setattr(chains.rpc_endpoint, "MAX_REPLY_BYTES", 1024 * 1024)
    bomb = gzip.compress(b"x" * (64 * 1024 * 1024))
    server.play(lambda c: c.http(bomb, headers="content-encoding: gzip\r\n"))
    with pytest.raises(RpcUnknown, match="larger than"):
        endpoint(server, 10.0).batch(ONE)


@pytest.mark.parametrize(
    "drip",
    [
        pytest.param(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n" + b" " * 1000, id="from the status line on"),
        pytest.param(b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 200, id="headers without end"),
    ],
)
def test_70_a_drip_does_not_hold_the_run(server: Hostile, drip: bytes) -> None:
    server.play(lambda c: c.drip(drip, 0.02))
    began = time.monotonic()
    with pytest.raises(RpcUnknown):
        endpoint(server, 0.4).batch(ONE)
    assert time.monotonic() - began < 5


def test_70_a_dripping_body_does_not_hold_the_run(server: Hostile) -> None:
    def script(client: Client) -> None:
        client.raw(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
        client.drip(b" " * 1000, 0.02)

    server.play(script)
    began = time.monotonic()
    with pytest.raises(RpcUnknown, match="longer than"):
        endpoint(server, 0.4).batch(ONE)
    assert time.monotonic() - began < 5


def test_silence_times_out(server: Hostile) -> None:
    server.play(lambda c: c.stopped.wait(5))
    with pytest.raises(RpcUnknown):
        endpoint(server, 0.2).batch(ONE)


def test_nobody_there_is_unknown() -> None:
    with hostile() as gone:
        url = gone.url
    with pytest.raises(RpcUnknown):
        Endpoint(url).batch(ONE)


def test_a_node_that_refuses_batches_is_asked_one_by_one(server: Hostile) -> None:
    def script(client: Client) -> None:
        if isinstance(client.body, list):
            client.json({"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": "no batches"}})
        else:
            good(client)

    server.play(script)
    assert endpoint(server).batch(TWO) == ["0x1", "0x2"]


def _fault(error: Any) -> Any:
    return lambda c: c.json({"jsonrpc": "2.0", "id": c.body["id"], "error": error})


def test_72_an_error_object_is_a_fault_with_its_text_escaped(server: Hostile) -> None:
    server.play(_fault({"code": -32000, "message": "nope\x1b[2J\r\n\u202eevil\x00", "data": "0x08c379a0"}))
    (answer,) = endpoint(server).batch(ONE)
    assert isinstance(answer, RpcFault)
    assert (answer.code, answer.data, answer.reverted) == (-32000, "0x08c379a0", True)
    assert all(c.isprintable() for c in answer.message)
    assert all(c.isprintable() for c in str(answer))


@pytest.mark.parametrize(
    "error", [None, "text", 7, [], {}, {"code": "x"}, {"message": {"a": 1}}, {"code": 1, "data": [1]}]
)
def test_an_error_of_any_shape_is_a_fault(server: Hostile, error: Any) -> None:
    server.play(_fault(error))
    (answer,) = endpoint(server).batch(ONE)
    assert isinstance(answer, RpcFault)
    assert not answer.reverted


def test_long_error_texts_are_capped(server: Hostile) -> None:
    server.play(_fault({"code": 1, "message": "x" * 100_000}))
    (answer,) = endpoint(server).batch(ONE)
    assert len(str(answer)) < 400


@pytest.mark.parametrize(
    "url", ["ftp://x", "http://", "file:///etc/passwd", "node", "http://h:99999", "http://[::1", "http://h:0", ""]
)
def test_other_urls_are_refused_unshown(url: str) -> None:
    with pytest.raises(UrlRefused) as caught:
        Endpoint(url)
    assert caught.value.exit_code == 2
    assert caught.value.__cause__ is None


def test_endpoints_are_named_without_their_secrets() -> None:
    assert Endpoint("https://user:pw@rpc.example.org:8545/v3/KEY").label == "rpc.example.org:8545"


@pytest.mark.parametrize("kind", ["429", "502", "503", "garbage", "truncated", "no answer"])
def test_a_read_is_asked_again_until_it_is_answered(server: Hostile, kind: str) -> None:
    server.play(UNKNOWN[kind], UNKNOWN[kind], good)
    assert Rpc([endpoint(server)], clock=Hasty()).read_all(TWO) == ["0x1", "0x2"]
    assert len(server.requests) == 3


def test_overload_is_asked_again_and_a_revert_is_an_answer(server: Hostile) -> None:
    server.play(_fault({"code": -32005, "message": "limit"}), good)
    assert Rpc([endpoint(server)], clock=Hasty()).read("eth_chainId", []) == "0x1"
    server.play(_fault({"code": 3, "message": "execution reverted", "data": "0x"}))
    with pytest.raises(RpcFault):
        Rpc([endpoint(server)], clock=Hasty()).read("eth_call", [])


def test_patience_ends_in_a_resumable_error(server: Hostile) -> None:
    server.play(UNKNOWN["503"])
    with pytest.raises(RpcDown) as caught:
        Rpc([endpoint(server)], patience_s=5, clock=Hasty()).read_all(ONE)
    assert caught.value.exit_code == 3
    assert "SECRETKEY" not in caught.value.cause


def test_the_next_endpoint_is_asked_when_one_is_down(server: Hostile) -> None:
    with hostile() as down:
        down.play(UNKNOWN["503"])
        server.play(good)
        rpc = Rpc([endpoint(down), endpoint(server)], clock=Hasty())
        assert rpc.read_all(TWO) == ["0x1", "0x2"]
        assert rpc.requests == 2
        each = rpc.ask_each("eth_chainId", [])
        assert isinstance(each[0], RpcUnknown)
        assert each[1] == "0x1"


def test_sends_go_to_every_endpoint_once_and_are_never_repeated(server: Hostile) -> None:
    with hostile() as down:
        down.play(UNKNOWN["503"])
        server.play(_fault({"code": -32000, "message": "already known"}))
        hints = Rpc([endpoint(down), endpoint(server)]).send_all([("eth_sendRawTransaction", ["0x00"])])
        assert (len(down.requests), len(server.requests)) == (1, 1)
        assert len(hints) == 2
        assert "already known" in hints[1]


def test_nothing_is_asked_for_nothing(server: Hostile) -> None:
    server.play(good)
    assert Rpc([endpoint(server)]).read_all([]) == []
    assert server.requests == []


def test_no_credentials_of_the_environment_are_sent(server: Hostile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    server.play(good)
    assert endpoint(server).batch(ONE) == ["0x1"]
    assert "authorization" not in server.heads[0].lower()
    assert json.dumps(server.requests[0]["method"]) == '"eth_chainId"'
