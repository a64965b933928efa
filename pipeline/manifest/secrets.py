"""Secrets by reference: ``env:NAME``, ``file:PATH``, and the stores of ``pipeline/secrets/``, each a ``SecretStore``.

A reference is text and may be shown and stored. It is resolved as late as possible, into a ``Secret`` that shows itself
nowhere, and whose value the redactor then removes from everything ``ship`` writes.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, Protocol, final

from chains.errors import Where
from pipeline.manifest.errors import BadUrl, ForbiddenHost, SecretStoreMissing, SecretStoreNoAnswer, SecretUnavailable
from pipeline.manifest.redaction import REDACTOR, Redactor, redact
from pipeline.manifest.secret_names import SCHEMES, STORE_SCHEMES
from pipeline.manifest.urls import UrlError, forbidden_host, parse_url
from pipeline.secrets.base import MAX_SECRET_BYTES, NoAnswer, NotInstalled, tidied
from pipeline.secrets.files import read_regular, text_of

__all__ = [
    "EnvironmentStore",
    "FileStore",
    "KeptStore",
    "Secret",
    "SecretRef",
    "SecretStore",
    "default_stores",
    "redact",
    "register_secret",
    "resolve_endpoint",
    "resolve_secret",
]


@final
class Secret:
    """A value that is shown only by ``reveal()``: not by ``str``, ``repr``, ``format``, ``vars``, pickle or JSON."""

    __slots__ = ("__value",)

    def __init__(self, value: str) -> None:
        self.__value = value

    def reveal(self) -> str:
        """The value itself. Call it where the value is used, and keep the result nowhere."""
        return self.__value

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return "Secret(…)"

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a Secret cannot be serialized")


@dataclass(frozen=True)
class SecretRef:
    """A reference as written, safe to show. ``where`` is its place in the manifest."""

    text: str
    where: Where | None = None

    @property
    def scheme(self) -> str:
        """``env:``, ``file:`` …; the empty text for none."""
        return next((scheme for scheme in SCHEMES if self.text.startswith(scheme)), "")

    @property
    def rest(self) -> str:
        return self.text[len(self.scheme) :]

    def __str__(self) -> str:
        return self.text


class SecretStore(Protocol):
    """A place secrets are kept. ``scheme`` is how its references start, with the colon."""

    @property
    def scheme(self) -> str: ...

    def read(self, rest: str) -> str:
        """The secret called ``rest``. Raises ``LookupError`` with a reason that does not hold the value, ``NoAnswer`` or
        ``NotInstalled``."""
        ...


@dataclass(frozen=True)
class EnvironmentStore:
    """``env:NAME``."""

    environment: Mapping[str, str]
    scheme: str = "env:"

    def read(self, rest: str) -> str:
        value = self.environment.get(rest)
        if value is None:
            raise LookupError(f"the environment variable {rest} is not set")
        if not value.strip():
            raise LookupError(f"the environment variable {rest} is empty")
        return value


@dataclass(frozen=True)
class FileStore:
    """``file:PATH``, relative to the project's root; ``~/`` is the home folder. One final newline is dropped."""

    root: Path
    scheme: str = "file:"

    def read(self, rest: str) -> str:
        return tidied(text_of(read_regular(self.root, rest, MAX_SECRET_BYTES), rest))


@dataclass(frozen=True)
class KeptStore:
    """A store of ``pipeline/secrets/``, loaded when it is first read; what it gave is kept for the run."""

    scheme: str
    root: Path

    def read(self, rest: str) -> str:
        from pipeline.secrets.kept import KEPT

        return KEPT.read(self.scheme, self.root, rest)


def default_stores(root: Path) -> tuple[SecretStore, ...]:
    """The stores of this version, over this process's environment."""
    return (EnvironmentStore(os.environ), FileStore(root), *(KeptStore(scheme, root) for scheme in STORE_SCHEMES))


def resolve_secret(reference: SecretRef, stores: Sequence[SecretStore], *, redactor: Redactor = REDACTOR) -> Secret:
    """The secret ``reference`` names; from then on ``redactor`` hides it.

    Raises ``SecretUnavailable`` when it is not there, ``SecretStoreNoAnswer`` when the store may give it later, and
    ``SecretStoreMissing`` where what reads that store is not installed.
    """
    store = next((store for store in stores if store.scheme == reference.scheme), None)
    if store is None:
        _no_store(reference, stores)
    try:
        value = store.read(reference.rest)
    except LookupError as error:
        raise SecretUnavailable(
            f"The secret {reference.text} is not there: {error.args[0]}.",
            remedy=getattr(error, "remedy", None) or "Set it, or change the reference in the manifest.",
            where=reference.where,
        ) from None
    except NoAnswer as error:
        raise SecretStoreNoAnswer(
            f"The secret {reference.text} could not be read: {error}.",
            remedy="See that the store can be reached and the login lives, then run the same command again.",
            where=reference.where,
        ) from None
    except NotInstalled as error:
        raise SecretStoreMissing(
            f"The secret {reference.text} cannot be read here: {error}.", remedy=error.remedy, where=reference.where
        ) from None
    redactor.hide(value)
    return Secret(value)


def _no_store(reference: SecretRef, stores: Sequence[SecretStore]) -> NoReturn:
    known = ", ".join(store.scheme for store in stores)
    cause = "This is not a reference to a secret (its text is not shown)."
    if reference.scheme:
        cause = f"A {reference.scheme} reference is not read here."
    raise SecretUnavailable(cause, remedy=f"Write one that starts with {known}", where=reference.where)


def register_secret(value: str) -> None:
    """Hide ``value`` from now on: for secrets that come from elsewhere, as a password from a prompt."""
    REDACTOR.hide(value)


def resolve_endpoint(
    endpoint: str, root: Path | None = None, *, allow_hosts: Collection[str] = (), where: Where | None = None
) -> str:
    """The URL of an endpoint: written as one, or behind a reference (``file:`` is relative to ``root``).

    A URL behind a reference is checked only here: TLS unless local (``BadUrl``), no metadata service
    (``ForbiddenHost``). Neither error shows it.
    """
    if not endpoint.startswith(SCHEMES):
        return endpoint
    reference = SecretRef(endpoint, where)
    url = resolve_secret(reference, default_stores(root or Path.cwd())).reveal().strip()
    try:
        parse_url(url)
    except UrlError as error:
        raise BadUrl(
            f"{endpoint} does not hold a URL that can be used: {error}.",
            remedy="Set it to https://host/path.",
            where=where,
        ) from None
    if forbidden_host(url, allow_hosts):
        raise ForbiddenHost(
            f"{endpoint} points at a link-local or cloud metadata address; nothing is sent there.",
            remedy="Use another host, or allow this one by name under [network] allow-hosts.",
            where=where,
        )
    return url
