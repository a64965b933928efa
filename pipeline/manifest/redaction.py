"""Keeping secrets out of everything that is written: logs, errors, records, traces.

One ``REDACTOR`` for the process, because a secret must be hidden wherever it turns up; everything else takes a
``Redactor`` as an argument.
"""

from __future__ import annotations

import base64
import json
import re
import threading
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from pipeline.manifest.literal_secrets import secret_in_url

__all__ = ["HIDDEN", "REDACTOR", "Redactor", "redact", "redact_url"]

HIDDEN = "[redacted]"
_SHORTEST = 4
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,20}://[^\s\"'<>\\]+")


class Redactor:
    """Replaces known secrets in text, in the spellings they travel in."""

    def __init__(self) -> None:
        self._spellings: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self._lock = threading.Lock()

    def hide(self, value: str) -> None:
        """From now on ``value`` is a secret. Of a URL, its key alone is one too. Under four characters: not hidden."""
        values = {value, value.strip(), *_url_secrets(value)}
        with self._lock:
            for secret in values:
                if len(secret) >= _SHORTEST:
                    self._spellings |= _spellings(secret)
            ordered = sorted(self._spellings, key=len, reverse=True)
            self._pattern = re.compile("|".join(map(re.escape, ordered))) if ordered else None

    def redact(self, text: str) -> str:
        """``text`` without known secrets, and without URLs that look as if they held one."""
        if self._pattern is not None:
            text = self._pattern.sub(HIDDEN, text)
        return _URL.sub(lambda match: _shown_url(match.group()), text)


REDACTOR = Redactor()


def redact(text: str) -> str:
    """``text`` without any secret this process has resolved."""
    return REDACTOR.redact(text)


def redact_url(url: str) -> str:
    """Scheme, host and port of ``url``: what can be shown of an endpoint whose path may hold a key."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return HIDDEN
    if not parts.scheme or not host:
        return HIDDEN
    host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{HIDDEN if secret_in_url(f'https://{host}/') else host}{port}"


def _shown_url(url: str) -> str:
    return redact_url(url) + "/…" if secret_in_url(url, sure=True) else url


def _spellings(secret: str) -> set[str]:
    """As it is, percent-encoded, inside JSON, in base64, and a hex key with and without 0x in both cases."""
    spellings = {
        secret,
        quote(secret, safe=""),
        quote(secret),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        base64.b64encode(secret.encode()).decode(),
        base64.urlsafe_b64encode(secret.encode()).decode(),
    }
    digits = secret.removeprefix("0x")
    if re.fullmatch(r"[0-9a-fA-F]{32,}", digits):
        spellings |= {digits, digits.lower(), digits.upper()}
    return {spelling for spelling in spellings if len(spelling) >= _SHORTEST}


def _url_secrets(value: str) -> set[str]:
    """The parts of a URL that can be its key: user, password, path segments and query values of some length."""
    if "://" not in value:
        return set()
    try:
        parts = urlsplit(value.strip())
        found = [parts.username or "", parts.password or "", *parts.path.split("/")]
        found += [text for _, text in parse_qsl(parts.query)]
    except ValueError:
        return set()
    return {text for part in found for text in (part, unquote(part)) if len(text) >= 16 or part == parts.password}
