"""What backends that ask a service share: bounds on time and size, where the service is, and how it fails.

A library's own exceptions can carry URLs, headers or tokens, so none is ever chained to an error of ours: what is shown
is the service's name for the failure, and what to do about it.
"""

from __future__ import annotations

import ipaddress
import logging
import re
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import urlsplit

from pipeline.manifest.secrets import resolve_endpoint
from pipeline.signing.base import SignatureRejected
from pipeline.signing.bounded import within
from pipeline.signing.context import SignerContext, SignerNoAnswer, SignerUnavailable

__all__ = [
    "CALL_S",
    "CONNECT_S",
    "MAX_BYTES",
    "TOTAL_S",
    "AnswerTooLarge",
    "bounded",
    "is_loopback",
    "is_private",
    "no_answer",
    "not_a_signature",
    "quiet",
    "service_url",
    "shown_code",
    "wrong_key",
]

CONNECT_S = 5.0
CALL_S = 10.0
"""One attempt, until its answer."""
TOTAL_S = 20.0
"""Everything for one answer: logging in, attempts, and the waits between them."""
MAX_BYTES = 256 * 1024
"""The largest answer read. A key or a signature takes under 4 KiB."""

T = TypeVar("T")


class AnswerTooLarge(Exception):
    """More came than ``MAX_BYTES``."""


def bounded(call: Callable[[], T]) -> T:
    """What ``call`` gives, or ``TooLate`` after ``TOTAL_S``: libraries bound the wait for the next byte only."""
    return within(TOTAL_S, call)


def service_url(context: SignerContext) -> str | None:
    """``url`` under [signer], resolved: https, or http on loopback. Raises ``SignerUnavailable``, never showing it."""
    if context.spec.url is None:
        return None
    url = resolve_endpoint(
        context.spec.url,
        context.root,
        allow_hosts=context.target.spec.network.allow_hosts,
        where=context.where("url"),
    ).rstrip("/")
    if not is_private(url):
        raise context.unavailable(
            "`url` is http:// and not on this machine: credentials would travel unencrypted", "url", "Use https://."
        )
    return url


def is_loopback(url: str) -> bool:
    """Whether ``url``'s host is this machine's loopback."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_private(url: str) -> bool:
    """Whether nobody between us and ``url`` can read along: TLS, or this machine."""
    return urlsplit(url).scheme == "https" or is_loopback(url)


def quiet(*libraries: str) -> None:
    """Below warnings these log whole requests, credentials included, and without a handler warnings reach stderr by themselves."""
    for library in libraries:
        logger = logging.getLogger(library)
        if logger.level == logging.NOTSET:
            logger.setLevel(logging.WARNING)
        if not logger.handlers:
            logger.addHandler(logging.NullHandler())


def no_answer(service: str, why: str) -> SignerNoAnswer:
    """``why`` names what happened, without anything a server or a library wrote but a code."""
    return SignerNoAnswer(
        f"{service} gave no usable answer: {why}",
        remedy="Log in again if the credentials have run out, then run the same command: it goes on where it was.",
        done="Nothing was signed by this call. What was done before is in the journal.",
    )


def not_a_signature(service: str, why: str) -> SignatureRejected:
    """What ``service`` returned cannot even be read as a signature."""
    return SignatureRejected(
        f"{service} returned something that is not a signature: {why}",
        remedy="Nothing was sent. Check what answers at the service's address.",
    )


def shown_code(code: object) -> str:
    """A service's code for an error, if that is all it is."""
    text = str(code)
    return text if re.fullmatch(r"[A-Za-z0-9_.:-]{1,64}", text) else "an unreadable code"


def wrong_key(context: SignerContext, cause: str) -> SignerUnavailable:
    """The key exists and is not one this backend can sign with here."""
    return context.unavailable(
        cause, "key", "Name a key of the right kind under [signer]; docs/guide/signers.md has them."
    )
