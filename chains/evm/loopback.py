"""A JSON-RPC server on a loopback port: forge reaches a chain through it.

So that its argument list and cache hold no endpoint's URL, which may hold a key, and so that what may be asked of the chain
is decided here: reads are passed on, some methods go to a handler of the caller's, the rest is refused. The URL's path
cannot be guessed: not every program of this machine may ask for signatures.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from chains.errors import ShipError, printable
from chains.rpc import Rpc, RpcFault

__all__ = ["Handler", "loopback"]

Handler = Callable[[list[Any]], Any]
"""Answers one method from its parameters; raises ``RpcFault`` to refuse."""

_READS = (
    "eth_blockNumber", "eth_call", "eth_chainId", "eth_estimateGas", "eth_feeHistory", "eth_gasPrice", "eth_getBalance",
    "eth_getBlockByHash", "eth_getBlockByNumber", "eth_getBlockReceipts", "eth_getCode", "eth_getLogs", "eth_getProof",
    "eth_getStorageAt", "eth_getTransactionByHash", "eth_getTransactionCount", "eth_getTransactionReceipt",
    "eth_maxPriorityFeePerGas", "eth_syncing", "net_version", "web3_clientVersion",
)  # fmt: skip
_AT_ONCE = 4  # as many connections as an endpoint keeps
_MAX_BODY_BYTES = 16 * 1024 * 1024
_NO_SUCH_METHOD = -32601


@contextlib.contextmanager
def loopback(rpc: Rpc, handlers: Mapping[str, Handler] | None = None, *, port: int = 0) -> Iterator[str]:
    """Serve ``rpc``'s chain until the block ends; gives the URL. ``handlers`` answer methods by name, before the reads."""
    path = secrets.token_urlsafe(16)
    server = ThreadingHTTPServer(("127.0.0.1", port), _server(_Turns(rpc), handlers or {}, path))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, name="loopback", daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/{path}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Turns:
    """An ``Rpc`` for many threads, a few at a time."""

    def __init__(self, rpc: Rpc) -> None:
        self._rpc = rpc
        self._free = threading.BoundedSemaphore(_AT_ONCE)

    def read(self, method: str, params: list[Any]) -> Any:
        with self._free:
            return self._rpc.read(method, params)


def _server(rpc: _Turns, handlers: Mapping[str, Handler], path: str) -> type[BaseHTTPRequestHandler]:
    class Server(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            # A page in somebody's browser must not reach the signer: it cannot leave these two out or set this one.
            refused = self.headers.get("origin") or not self._own_host() or self.path != f"/{path}"
            if length > _MAX_BODY_BYTES or refused:
                self._reply(403, b"")
                return
            try:
                body = json.loads(self.rfile.read(length))
            except (ValueError, RecursionError):
                self._reply(400, b"")
                return
            answers = [_answer(rpc, handlers, call) for call in (body if isinstance(body, list) else [body])]
            self._reply(200, json.dumps(answers if isinstance(body, list) else answers[0]).encode())

        def _own_host(self) -> bool:
            return (self.headers.get("host") or "").rpartition(":")[0] in {"127.0.0.1", "localhost"}

        def _reply(self, status: int, data: bytes) -> None:
            self.send_response(status)
            if status != HTTPStatus.OK:  # what was refused may have left its body unread
                self.send_header("connection", "close")
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            with contextlib.suppress(OSError):  # it did not wait
                self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Nothing: what programs ask is not the user's output."""

    return Server


def _answer(rpc: _Turns, handlers: Mapping[str, Handler], call: Any) -> dict[str, Any]:
    if not isinstance(call, dict) or not isinstance(call.get("method"), str):
        return _error(None, -32600, "not a JSON-RPC request")
    number, method, params = call.get("id"), call["method"], call.get("params") or []
    try:
        if method in handlers:
            result = handlers[method](params)
        elif method in _READS:
            result = rpc.read(method, params)
        else:
            return _error(number, _NO_SUCH_METHOD, f"{printable(method, 60)} is not served here")
    except RpcFault as fault:
        return _error(number, fault.code, fault.message, fault.data)
    except ShipError as error:
        return _error(number, -32000, f"{error.code}: {error.cause}")
    return {"jsonrpc": "2.0", "id": number, "result": result}


def _error(number: Any, code: int, message: str, data: str | None = None) -> dict[str, Any]:
    error = {"code": code, "message": message, **({"data": data} if data is not None else {})}
    return {"jsonrpc": "2.0", "id": number, "error": error}
