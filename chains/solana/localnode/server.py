"""The node's two ports: JSON-RPC over HTTP, and over WebSocket one port higher, where clients look for it."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import traceback
from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import WSMsgType, web

from . import admin, reading, sending
from .bank import Bank
from .params import RpcError
from .subscriptions import Client, Subscriptions

__all__ = ["serve"]

_MAX_BODY_BYTES = 4 << 20
_PORT_TRIES = 50


class _Node:
    def __init__(self, bank: Bank, *, with_admin: bool) -> None:
        self._bank = bank
        self._methods: Mapping[str, reading.Method] = {
            **reading.METHODS,
            **sending.METHODS,
            **(admin.METHODS if with_admin else {}),
        }
        self.subscriptions = Subscriptions(bank)

    def _call(self, request: Any, client: Client | None) -> tuple[dict[str, Any], Callable[[], None]]:
        """The answer to one request, and what to do after it."""
        number = request.get("id") if isinstance(request, dict) else None
        answer: dict[str, Any] = {"jsonrpc": "2.0", "id": number}
        after: Callable[[], None] = lambda: None  # noqa: E731
        try:
            if not isinstance(request, dict) or not isinstance(request.get("method"), str):
                raise RpcError(-32600, "Invalid request")
            method, params = request["method"], request.get("params") or []
            if not isinstance(params, list):
                raise RpcError(-32602, "`params` should be an array")
            if client is not None and self.subscriptions.knows(method):
                answer["result"], after = self.subscriptions.handle(client, method, params)
            elif method in self._methods:
                answer["result"] = self._methods[method](self._bank, params)
            else:
                raise RpcError(-32601, "Method not found")
        except RpcError as error:
            answer["error"] = error.body
        except (IndexError, KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            # What a client sends can be wrong in ways nothing above looks for. The log tells that from a fault of ours.
            traceback.print_exc(file=sys.stderr)
            answer["error"] = RpcError(-32602, f"Invalid params: {error}").body
        return answer, after

    def answer(self, body: str, client: Client | None = None) -> tuple[Any, list[Callable[[], None]]]:
        try:
            request = json.loads(body)
        except ValueError:
            return {"jsonrpc": "2.0", "id": None, "error": {"code": -32700, "message": "Parse error"}}, []
        if isinstance(request, list):
            answers = [self._call(one, client) for one in request]
            return [answer for answer, _ in answers], [after for _, after in answers]
        answer, after = self._call(request, client)
        return answer, [after]

    async def post(self, request: web.Request) -> web.Response:
        answer, _ = self.answer(await request.text())
        return web.json_response(answer)

    async def get(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("upgrade", "").lower() == "websocket":
            return await self._socket(request)
        return web.Response(text="ok" if request.path == "/health" else "a local Solana node\n")

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        connection = web.WebSocketResponse(max_msg_size=_MAX_BODY_BYTES)
        await connection.prepare(request)
        outgoing: asyncio.Queue[Any] = asyncio.Queue()
        client = Client(outgoing.put_nowait)
        self.subscriptions.join(client)

        async def write() -> None:
            while True:
                await connection.send_json(await outgoing.get())

        writer = asyncio.create_task(write())
        try:
            async for message in connection:
                if message.type is WSMsgType.TEXT:
                    answer, afters = self.answer(message.data, client)
                    outgoing.put_nowait(answer)
                    for after in afters:
                        after()
        finally:
            self.subscriptions.leave(client)
            writer.cancel()
        return connection


def _two_ports(port: int) -> tuple[socket.socket, socket.socket]:
    """A pair of neighbouring ports of the loopback; any free one for 0."""
    for _ in range(_PORT_TRIES):
        first, second = socket.socket(), socket.socket()
        for one in (first, second):
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            first.bind(("127.0.0.1", port))
            second.bind(("127.0.0.1", first.getsockname()[1] + 1))
        except (OSError, OverflowError):
            first.close()
            second.close()
            if port:
                raise
            continue
        return first, second
    raise OSError("no two neighbouring ports are free")


async def _tick(bank: Bank) -> None:
    """End a slot whenever its time is over, without drifting."""
    loop = asyncio.get_running_loop()
    slot_s = bank.settings.slot_ms / 1000
    due = loop.time()
    while True:
        due = max(due + slot_s, loop.time())
        await asyncio.sleep(due - loop.time())
        bank.tick()


async def serve(bank: Bank, port: int, stop: asyncio.Event, *, with_admin: bool, ready: Callable[[int], None]) -> None:
    """Serve until ``stop`` is set. Raises ``OSError`` where the ports are taken."""
    node = _Node(bank, with_admin=with_admin)
    app = web.Application(client_max_size=_MAX_BODY_BYTES)
    app.router.add_post("/{path:.*}", node.post)
    app.router.add_get("/{path:.*}", node.get)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    sockets = _two_ports(port)
    for one in sockets:
        await web.SockSite(runner, one).start()
    ticking = asyncio.create_task(_tick(bank)) if bank.settings.slot_ms else None
    ready(sockets[0].getsockname()[1])
    stopping = asyncio.create_task(stop.wait())
    # If the ticking ends, it failed: better no node than one whose clock stands still.
    done, _ = await asyncio.wait({stopping, *([ticking] if ticking else [])}, return_when=asyncio.FIRST_COMPLETED)
    await runner.cleanup()
    for task in done:
        task.result()
