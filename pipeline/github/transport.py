"""PyGithub's connections over our own HTTP: a reply has a largest size and a latest moment, and redirects are not followed.

PyGithub's own connections read a reply of any size for any time. Its retry would repeat writes; ``client.py`` repeats
reads only.
"""

from __future__ import annotations

import io
from typing import Any

from github.Requester import HTTPRequestsConnectionClass, HTTPSRequestsConnectionClass, Requester, RequestsResponse
from requests.structures import CaseInsensitiveDict

from chains.http import HttpClient, HttpFailed, Response

__all__ = ["MAX_BYTES", "TIMEOUT_S", "Unanswered", "use_bounded_connections"]

TIMEOUT_S = 30.0
MAX_BYTES = 16 << 20
"""The largest JSON reply read. A page of a hundred releases with long notes stays far below."""
_SLOWEST_UPLOAD_BYTES_S = 100_000


class Unanswered(Exception):
    """No whole reply. The request may have arrived. The text holds host and kind of failure, nothing else."""


class _Reply(RequestsResponse):
    """What PyGithub reads of a reply."""

    def __init__(self, response: Response) -> None:
        self.status = response.status
        self.headers = CaseInsensitiveDict(response.headers)
        self._body = response.body

    def read(self) -> str:
        return self._body.decode("utf-8", errors="replace")


class _Bounded:
    """Both of PyGithub's connection classes; ``protocol`` is what tells them apart."""

    protocol = "https"

    def __init__(self, host: str, port: int | None = None, *_: Any, **__: Any) -> None:
        self.host = host
        self._url = f"{self.protocol}://{f'[{host}]' if ':' in host else host}{f':{port}' if port else ''}"
        self._client = HttpClient(self._url, timeout_s=TIMEOUT_S, max_bytes=MAX_BYTES, label=host)
        self._request: tuple[str, str, Any, dict[str, str]] | None = None

    def request(
        self,
        verb: str,
        url: str,
        input: Any,  # noqa: A002 - its name
        headers: dict[str, str],
        stream: bool = False,
    ) -> None:
        self._request = (verb, url, input, headers)

    def getresponse(self) -> _Reply:
        assert self._request is not None
        verb, path, body, headers = self._request
        client = self._client
        if isinstance(body, io.IOBase):
            data = body.read()
            seconds = TIMEOUT_S + len(data) / _SLOWEST_UPLOAD_BYTES_S
            client = HttpClient(self._url, timeout_s=seconds, max_bytes=MAX_BYTES, label=self.host)
        else:
            data = body.encode() if isinstance(body, str) else None
        try:
            response = client.request(verb, path, body=data, headers=headers)
        except HttpFailed as error:
            raise Unanswered(str(error)) from None
        if response.status == 202 and verb == "GET":
            # PyGithub would ask again for ever.
            raise Unanswered(f"{self.host}: the answer is not ready")
        return _Reply(response)

    def close(self) -> None:
        """Connections end with their client."""


class _BoundedHttp(_Bounded, HTTPRequestsConnectionClass):
    protocol = "http"


class _BoundedHttps(_Bounded, HTTPSRequestsConnectionClass):
    protocol = "https"


def use_bounded_connections() -> None:
    """From now on everything PyGithub asks goes through ``chains.http``."""
    Requester.injectConnectionClasses(_BoundedHttp, _BoundedHttps)
