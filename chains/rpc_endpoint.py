"""One JSON-RPC endpoint that believes nothing it cannot check.

RpcUnknown   no usable answer: the node may or may not have acted (transport, HTTP status, garbage, wrong id)
RpcFault     the node answered with a JSON-RPC error object; its text is shown, never interpreted (design law 3)
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from typing import Any

from chains.errors import printable
from chains.http import HttpClient, HttpFailed
from chains.jsontext import read_json

__all__ = ["MAX_BATCH", "Endpoint", "Request", "RpcFault", "RpcUnknown"]

Request = tuple[str, list[Any]]

MAX_REPLY_BYTES = 32 * 1024 * 1024
MAX_BATCH = 100
_REVERT = 3


class RpcUnknown(Exception):
    """No usable answer. Whatever was asked for may have happened. ``status`` is the HTTP status where it was not 200."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


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


class Endpoint:
    """One node. ``label`` is what people see instead of the URL; ``requests`` counts HTTP requests.

    ``headers`` go with every request: a bearer token of a remote signer, say. Raises ``UrlRefused``.
    """

    def __init__(
        self, url: str, timeout_s: float = 20.0, label: str = "", headers: dict[str, str] | None = None
    ) -> None:
        self._http = HttpClient(url, timeout_s=timeout_s, max_bytes=MAX_REPLY_BYTES, label=label)
        self._headers = {"content-type": "application/json", **(headers or {})}
        self._ids = itertools.count(1)
        self.label = self._http.label
        self.requests = 0

    @property
    def url(self) -> str:
        return self._http.url

    @property
    def timeout_s(self) -> float:
        return self._http.timeout_s

    @timeout_s.setter
    def timeout_s(self, timeout_s: float) -> None:
        self._http.timeout_s = timeout_s

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
        text = json.dumps(body, separators=(",", ":")).encode()
        try:
            response = self._http.request("POST", body=text, headers=self._headers)
        except HttpFailed as error:
            raise RpcUnknown(str(error)) from error
        if response.status != 200:
            raise RpcUnknown(f"{self.label}: HTTP status {response.status}", response.status)
        try:
            return read_json(response.body)
        except ValueError as error:
            raise RpcUnknown(f"{self.label}: the reply is not JSON") from error
