"""HTTP to an OpenBao or Vault server: TLS (or loopback), no redirects, nothing from the environment, replies capped."""

from __future__ import annotations

import io
import os
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies

from pipeline.manifest.secrets import resolve_endpoint
from pipeline.signing.context import SignerContext
from pipeline.signing.service import is_loopback, is_private

if TYPE_CHECKING:
    from pipeline.signing.vault_login import VaultLogin

__all__ = ["MAX_REPLY_BYTES", "Redirected", "ReplyTooLarge", "is_untrusted", "server_url", "transport"]

CONNECT_S, READ_S = 5.0, 20.0
MAX_REPLY_BYTES = 1024 * 1024


class Redirected(requests.RequestException):
    """The server sent us elsewhere; credentials do not follow."""


class ReplyTooLarge(requests.RequestException):
    """More than any answer of this API."""


class _Bounded(HTTPAdapter):
    def send(self, request: Any, *arguments: Any, **settings: Any) -> requests.Response:
        response = super().send(request, *arguments, **{**settings, "stream": True})
        if 300 <= response.status_code < 400:
            response.close()
            raise Redirected
        body = response.raw.read(MAX_REPLY_BYTES + 1, decode_content=True)
        response.close()
        if len(body) > MAX_REPLY_BYTES:
            raise ReplyTooLarge
        response.raw = urllib3.HTTPResponse(body=io.BytesIO(body), status=response.status_code, preload_content=False)
        return response


def server_url(context: SignerContext) -> str:
    """``url`` under [signer]. Raises a ``Refused`` unless it is https, or http on loopback."""
    url = resolve_endpoint(
        context.spec.url or "",
        context.root,
        allow_hosts=context.target.spec.network.allow_hosts,
        where=context.where("url"),
    )
    if not is_private(url):
        raise context.unavailable(
            "the service would be reached without TLS, and its token with it",
            "url",
            "Write an https:// URL. http:// is for a server on this machine only.",
        )
    return url.rstrip("/")


def is_untrusted(error: BaseException) -> bool:
    """Whether it is the certificate that TLS failed on, and not the connection."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ssl.SSLCertVerificationError):
        cause = cause.__cause__ or cause.__context__
    return cause is not None


def _authority(login: VaultLogin) -> str | bool:
    """What vouches for the server: the file these variables name, else the public ones (certifi's list)."""
    for name in ("VAULT_CACERT", "REQUESTS_CA_BUNDLE"):
        path = os.environ.get(name)
        if path and not Path(path).exists():
            raise login.unavailable(f"{name} names a file that is not there", "url", f"Correct or unset {name}.")
        if path:
            return path
    return True


def transport(login: VaultLogin, url: str) -> Any:
    """The client library over a transport of ours. It is never asked to look for a token, an address or a netrc itself."""
    import hvac  # type: ignore[import-untyped]

    session = requests.Session()
    session.trust_env = False
    session.mount("https://", _Bounded())
    session.mount("http://", _Bounded())
    session.verify = _authority(login)
    if not is_loopback(url):
        session.proxies = get_environ_proxies(url)
    return hvac.Client(
        url=url,
        token="",  # nothing given would be looked for
        verify=session.verify,
        timeout=(CONNECT_S, READ_S),
        proxies=session.proxies,
        allow_redirects=False,
        session=session,
        namespace=login.namespace,
    )
