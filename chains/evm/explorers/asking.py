"""One request to a service: in its turn, bounded, and its reply read as what it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from chains.errors import printable
from chains.evm.explorers.base import ExplorerStopped, TryLater
from chains.evm.explorers.bucket import TokenBucket
from chains.http import HttpClient, HttpFailed
from chains.jsontext import read_json

__all__ = ["Reply", "Service"]

_TIMEOUT_S = 30.0
_MAX_REPLY_BYTES = 16 * 2**20  # a verified source comes whole, with every library it imports
_MAX_REASON = 300
_MAX_HOLD_OFF_S = 30.0
_RATE_PAUSE_S = 1.0


@dataclass(frozen=True)
class Reply:
    """``value`` is the JSON of the body, whatever the status."""

    status: int
    value: Any


@dataclass
class Service:
    """A service's address. ``secret`` is taken out of everything it answers, before anybody sees it."""

    url: str = field(repr=False)
    bucket: TokenBucket
    secret: str | None = field(default=None, repr=False)
    timeout_s: float = _TIMEOUT_S

    def __post_init__(self) -> None:
        self._http = HttpClient(self.url, timeout_s=self.timeout_s, max_bytes=_MAX_REPLY_BYTES)
        self._query = bool(urlsplit(self.url).query)

    @property
    def label(self) -> str:
        return self._http.label

    @property
    def joint(self) -> str:
        """What comes between the URL and a query."""
        return "&" if self._query else "?"

    def ask(self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Reply:
        """One request, never repeated, never redirected.

        Raises ``TryLater`` where nothing usable came back, ``ExplorerStopped`` at a redirect: a key is not carried on.
        """
        self.bucket.take()
        try:
            response = self._http.request(method, path, body=body, headers=headers)
        except HttpFailed as failed:
            raise TryLater(self.clean(str(failed)), maybe_taken=not failed.unsent) from None
        if 300 <= response.status < 400:
            raise ExplorerStopped(f"{self.label} answers with a redirect, which is not followed: correct its URL")
        try:
            value = read_json(response.body)
        except ValueError:
            value = None
        if value is None or response.status >= 500:
            what = "an empty reply" if not response.body.strip() else "something that is not JSON"
            said = f"HTTP {response.status}" if response.status != 200 else what
            if response.status == 429:
                raise self.too_often(response.headers.get("retry-after"))
            raise TryLater(f"{self.label}: {said}", _seconds(response.headers.get("retry-after")), maybe_taken=True)
        if response.status == 429 and not isinstance(value, dict):
            raise self.too_often(response.headers.get("retry-after"))
        return Reply(response.status, value)

    def too_often(self, after: str | None = None) -> TryLater:
        """The service was asked too often: nobody who shares the allowance asks for a while. Nothing was taken."""
        after_s = _seconds(after) or _RATE_PAUSE_S
        self.bucket.hold_off(min(after_s, _MAX_HOLD_OFF_S))
        return TryLater(f"{self.label}: asked too often", after_s)

    def clean(self, text: str) -> str:
        """``text`` from the service as one printable line, without the key it may repeat."""
        if self.secret:
            text = text.replace(self.secret, "…")
        return printable(" ".join(text.split()), _MAX_REASON)


def _seconds(text: str | None) -> float | None:
    """``Retry-After`` in seconds; its other form, a date, is not worth trusting a clock for."""
    return float(text) if text and text.isascii() and text.isdigit() and len(text) < 7 else None
