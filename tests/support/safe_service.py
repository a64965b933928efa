"""A fake Safe Transaction Service: the two endpoints ship uses, with the real one's checks on what is posted.

Source: safe-transaction-service, API v1. Like the real one it recomputes the hash, recovers the sender, and refuses both
when they do not fit.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from eth_account import Account
from eth_account.messages import encode_typed_data

from chains.evm.safe.builder import typed_data
from chains.evm.safe.typed import SafeTx

CHAIN_ID = 31337


class FakeService:
    """What it holds: by hash, the posted body and the confirmations."""

    def __init__(self) -> None:
        self.transactions: dict[str, dict[str, Any]] = {}
        self.posts: list[str] = []
        self.broken = False
        self.url = ""

    def confirm(self, digest: str, owner: str, signature: str) -> None:
        self.transactions[digest]["confirmations"].append({"owner": owner, "signature": signature})

    def get(self, path: str) -> tuple[int, Any]:
        found = self.transactions.get(path.strip("/").rpartition("/")[2])
        return (200, found) if found else (404, {"detail": "No MultisigTransaction matches the given query."})

    def post(self, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        self.posts.append(path)
        parts = path.strip("/").split("/")
        if parts[-1] == "confirmations":
            self.confirm(parts[-2], "", body["signature"])
            return 201, {"signature": body["signature"]}
        safe, digest = parts[3], body["contractTransactionHash"]
        tx = SafeTx.from_json({**body, "data": body["data"] or "0x"})
        document = typed_data(CHAIN_ID, safe, tx)
        document["message"] = {k: int(v) if str(v).isdigit() else v for k, v in document["message"].items()}
        message = encode_typed_data(full_message=document)
        if Account.recover_message(message, signature=body["signature"]) != body["sender"]:
            return 422, {"nonFieldErrors": ["Signature does not match sender"]}
        confirmation = {"owner": body["sender"], "signature": body["signature"]}
        self.transactions[digest] = {**body, "safe": safe, "safeTxHash": digest, "confirmations": [confirmation]}
        return 201, None


@contextmanager
def safe_service() -> Iterator[FakeService]:
    service = FakeService()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self, status: int, body: Any) -> None:
            data = json.dumps(body).encode()
            self.send_response(503 if service.broken else status)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def do_GET(self) -> None:
            self._answer(*service.get(self.path))

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            self._answer(*service.post(self.path, body))

        def log_message(self, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    service.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
