"""The one client. Reads are repeated, writes never: whoever writes looks first, and looks again.

Logging in, and the words GitHub fails with, are PyGithub's; the bytes travel over ``transport.py``.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urljoin, urlsplit

from chains.base import Clock, SystemClock
from chains.errors import printable
from chains.http import HttpClient, HttpFailed, Response
from pipeline.github.errors import AddressRefused, GithubDenied, GithubLimited, GithubRejected, GithubUnanswered
from pipeline.github.place import is_loopback
from pipeline.manifest.redaction import redact
from pipeline.manifest.secrets import register_secret
from pipeline.manifest.urls import UrlError, forbidden_host, parse_url

if TYPE_CHECKING:
    from github.Auth import Auth

__all__ = ["Client"]

T = TypeVar("T")
_WAITS_S = (0.2, 0.8)
"""Between the attempts at one read."""
_MOST_PAGES = 100
_MOST_REDIRECTS = 3


class Client:
    """``api_url`` is GitHub's API; paths start with a slash, as its documentation writes them. Without ``auth`` it shows what
    everybody may see."""

    def __init__(self, api_url: str, auth: Auth | None, *, clock: Clock | None = None) -> None:
        from github import Github

        from pipeline import __version__
        from pipeline.github.transport import use_bounded_connections
        from pipeline.signing.service import quiet

        quiet("github")
        use_bounded_connections()
        self.api_url = api_url
        self._auth = auth
        self._clock = clock or SystemClock()
        self._requester = Github(
            base_url=api_url,
            auth=auth,
            retry=None,
            user_agent=f"contract-ship/{__version__}",
            seconds_between_requests=None,
            seconds_between_writes=None,
        ).requester

    def get(self, path: str, parameters: Mapping[str, Any] | None = None) -> Any:
        """What is at ``path``; ``None`` where GitHub says 404."""

        def ask() -> Any:
            try:
                return self._json("GET", path, parameters=dict(parameters or {}))
            except GithubRejected as error:
                if error.status == 404:
                    return None
                raise

        return self._repeated(ask)

    def pages(self, path: str, parameters: Mapping[str, Any] | None = None, *, key: str | None = None) -> list[Any]:
        """Every entry of a list, page by page; ``key`` names it inside an object."""
        entries: list[Any] = []
        for page in range(1, _MOST_PAGES + 1):
            found = self.get(path, {**(parameters or {}), "per_page": 100, "page": page})
            part = found.get(key) if key and isinstance(found, dict) else found
            if not isinstance(part, list):
                raise _unreadable(path)
            entries += part
            if len(part) < 100:
                return entries
        raise GithubUnanswered(
            f"GitHub's list at {path} has more than {_MOST_PAGES} pages", remedy="Remove what is old there."
        )

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        return self._json("POST", path, input=dict(body))

    def patch(self, path: str, body: Mapping[str, Any]) -> Any:
        return self._json("PATCH", path, input=dict(body))

    def delete(self, path: str) -> None:
        self._json("DELETE", path)

    def upload(self, url: str, name: str, content_type: str, data: bytes) -> Any:
        """Send ``data`` as an asset to ``url``, which GitHub gave with the release."""
        self._own(url)
        headers = {"Content-Type": content_type, "Content-Length": str(len(data))}
        with self._translated("POST", "the upload address"):
            return self._requester.requestMemoryBlobAndCheck("POST", url, {"name": name}, headers, io.BytesIO(data))[1]

    def download(self, path: str, max_bytes: int) -> bytes:
        """The bytes of an asset. Where GitHub sends us on, the token stays behind."""
        return self._repeated(lambda: self._download(path, max_bytes))

    def _download(self, path: str, max_bytes: int) -> bytes:
        headers = {"Accept": "application/octet-stream"}
        if self._auth is not None:
            with self._translated("GET", path):
                self._auth.authentication(headers)
        url = self.api_url + path
        response = self._fetch(url, headers, max_bytes)
        for _ in range(_MOST_REDIRECTS):
            if response.status not in {301, 302, 303, 307, 308}:
                break
            url = _followed(url, response.headers.get("location", ""))
            response = self._fetch(url, {"Accept": "application/octet-stream"}, max_bytes)
        if response.status == 200:
            return response.body
        raise GithubUnanswered(
            f"GitHub answered a download with HTTP {response.status}", remedy="Run the same command again."
        )

    def _fetch(self, url: str, headers: Mapping[str, str], max_bytes: int) -> Response:
        seconds = 30 + max_bytes / 100_000
        try:
            return HttpClient(url, timeout_s=seconds, max_bytes=max_bytes, label="an asset's download").request(
                "GET", headers=headers
            )
        except HttpFailed as error:
            raise GithubUnanswered(str(error), remedy="Run the same command again.") from None

    def _own(self, url: str) -> None:
        """Credentials go to GitHub's own hosts: the API's, and those below the same name."""
        api, other = urlsplit(self.api_url), urlsplit(url)
        domain = (api.hostname or "").removeprefix("api.")
        host = other.hostname or ""
        same = (other.scheme, host, other.port) == (api.scheme, api.hostname, api.port)
        if not same and not (other.scheme == "https" and other.port in {None, 443} and host.endswith(f".{domain}")):
            raise AddressRefused(
                f"GitHub names {printable(host, 100) or 'no host'} to upload to, which is not one of {domain}'s",
                remedy="Check api-url under [github]; something else may be answering there.",
            )

    def _json(self, method: str, path: str, **parts: Any) -> Any:
        with self._translated(method, path):
            data = self._requester.requestJsonAndCheck(method, path, **parts)[1]
        wrapped = isinstance(data, dict) and "data" in data and set(data) <= {"data", "url"}  # a body that is no JSON
        if method != "DELETE" and (wrapped or not isinstance(data, dict | list)):
            raise _unreadable(path)
        return data

    def _repeated(self, ask: Callable[[], T]) -> T:
        for wait_s in _WAITS_S:
            try:
                return ask()
            except GithubUnanswered:
                self._clock.sleep_s(wait_s)
        return ask()

    @contextlib.contextmanager
    def _translated(self, method: str, path: str) -> Iterator[None]:
        from github import GithubException, RateLimitExceededException

        from pipeline.github.transport import Unanswered

        what = f"{method} {path}"
        try:
            yield
        except Unanswered as error:
            raise GithubUnanswered(f"{what}: {error}", remedy="Run the same command again.") from None
        except RateLimitExceededException:
            raise GithubLimited(
                "GitHub's limit on requests is reached", remedy="Run the same command again in a few minutes."
            ) from None
        except GithubException as error:
            raise _failure(what, error.status, error.data) from None
        except (ValueError, TypeError, AssertionError, RuntimeError):
            # A body that begins like JSON and is none, or a redirection PyGithub does not follow.
            raise _unreadable(path) from None
        finally:
            self._hide_token()

    def _hide_token(self) -> None:
        """An App's token is new every hour, and known only once it was used."""
        authorization = getattr(self._auth, "_AppInstallationAuth__installation_authorization", None)
        if authorization is not None:
            register_secret(str(authorization.token))


def _unreadable(path: str) -> GithubUnanswered:
    return GithubUnanswered(
        f"GitHub's answer at {path} cannot be read",
        remedy="Run the same command again; if it stays so, check api-url under [github].",
    )


def _failure(what: str, status: int, data: Any) -> Exception:
    said = data.get("message", "") if isinstance(data, dict) else ""
    errors = data.get("errors") if isinstance(data, dict) else None
    codes = [str(e.get("code") or e.get("message") or "") for e in errors if isinstance(e, dict)] if errors else []
    text = redact(printable("; ".join([str(said), *codes]), 300))
    if status >= 500 or status in {408, 409}:
        return GithubUnanswered(f"{what}: HTTP {status}", remedy="Run the same command again.")
    if status == 429:
        return GithubLimited(f"{what}: HTTP 429", remedy="Run the same command again in a few minutes.")
    if status in {401, 403}:
        return GithubDenied(
            f"GitHub refuses {what}: HTTP {status}, {text}",
            remedy="The token needs write access to contents and deployments, and read access to checks and statuses, of this "
            "repository.",
        )
    return GithubRejected(
        f"GitHub does not take {what}: HTTP {status}, {text}", remedy="See what it says.", status=status
    )


def _followed(url: str, location: str) -> str:
    target = urljoin(url, location)
    try:
        parts = parse_url(target)
    except UrlError as error:
        raise AddressRefused(
            f"GitHub sends a download on to an address that cannot be used: {error}", remedy="Run it again."
        ) from None
    if forbidden_host(target) or (parts.scheme == "http" and not is_loopback(parts.hostname or "")):
        raise AddressRefused(
            "GitHub sends a download on to an address that is not asked", remedy="Find out what answers for GitHub."
        )
    return target
