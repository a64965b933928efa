"""A login to OpenBao or Vault that lasts a run: made when needed, renewed before it ends, made anew where it can be."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import Any

from chains.errors import printable
from pipeline.manifest.secrets import redact, register_secret
from pipeline.signing.bounded import TooLate, within
from pipeline.signing.vault_login import VaultLogin
from pipeline.signing.vault_transport import is_untrusted, transport

__all__ = ["Denied", "VaultSession"]

TOTAL_S = 20.0
"""The longest anything asked of the service may take, with its retries."""


class Denied(Exception):
    """The service answered that it does not do this. ``status`` is HTTP's; its text is shown, never interpreted."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class VaultSession:
    """Calls to one server with one login: a signer's, or that of the secrets kept there."""

    def __init__(self, login: VaultLogin) -> None:
        self._login = login
        self._auth = login.auth
        self._client: Any = None
        self._until: float | None = None
        self._lease_s = 0.0
        self._renewable = False
        self._worked = False
        self._lock = threading.RLock()

    def call(self, what: str, ask: Callable[[Any], Any]) -> Any:
        """What the service answers to ``ask``, which may be asked again. Raises ``Denied`` (it lives, and says no),
        or what the login makes of its own troubles: credentials that are none, a server that does not answer.
        """
        with self._lock:
            self._hold_login()
            try:
                answer = self._asked(what, lambda: ask(self._client))
            except Denied as error:
                # A login that never worked here lacks a right; one that did, and is not known any more, has ended.
                if error.status not in {401, 403} or not self._worked or self._lives():
                    raise
                if self._auth == "token":
                    raise self._ended("its token is no longer taken") from None
                self._log_in()
                answer = self._asked(what, lambda: ask(self._client))
            self._worked = True
            return answer

    # -- the login -------------------------------------------------------------------------------------------------

    def _hold_login(self) -> None:
        if self._client is None:
            self._log_in()
            return
        if self._until is None or self._until - time.monotonic() > min(30.0, self._lease_s / 3):
            return
        if self._renewable and self._renewed():
            return
        if self._auth != "token":
            self._log_in()
        elif self._until <= time.monotonic():
            raise self._ended("its token has expired")

    def _renewed(self) -> bool:
        before = self._lease_s
        try:
            self._note(self._asked("renewing the login", self._client.auth.token.renew_self)["auth"])
        except (Denied, KeyError, TypeError):
            return False
        return self._lease_s > before / 2  # at the end of its longest life a renewal gives hardly anything

    def _log_in(self) -> None:
        """Refused at first, unanswered once a login of this run has worked: it may go on later."""
        again = self._client is not None
        client = transport(self._login, self._login.url())
        try:
            self._log_in_with(client)
        except Denied as error:
            cause = f"the service refuses the {self._auth} login (HTTP {error.status}: {error})"
            if again:
                raise self._ended(cause) from None
            raise self._login.unavailable(
                cause, "auth", "Check the credentials, the role and its bound claims. Nothing was signed."
            ) from None
        self._client = client

    def _log_in_with(self, client: Any) -> None:
        if self._auth == "token":
            client.token = self._login.secret("token")
            try:
                data = self._asked("looking the token up", client.auth.token.lookup_self)["data"]
            except Denied:
                return  # a policy may keep this from it: then how long it lives is not known
            self._note({"lease_duration": data.get("ttl"), "renewable": data.get("renewable")})
            return
        if self._auth == "approle":
            role_id, secret_id = self._login.secret("role-id"), self._login.secret("secret-id")
            mount = self._mount(self._login.auth_mount or "approle")
            login = lambda: client.auth.approle.login(role_id, secret_id, use_token=False, mount_point=mount)  # noqa: E731
        else:
            jwt, mount = self._login.secret("token"), self._mount(self._login.auth_mount or "jwt")
            login = lambda: client.auth.jwt.jwt_login(self._login.role, jwt, use_token=False, path=mount)  # noqa: E731
        auth = self._asked("logging in", login, twice=False).get("auth") or {}
        if not isinstance(auth.get("client_token"), str):
            raise Denied(200, "its answer holds no token")
        register_secret(auth["client_token"])
        client.token = auth["client_token"]
        self._note(auth)

    def _note(self, auth: dict[str, Any]) -> None:
        lease = auth.get("lease_duration")
        self._lease_s = float(lease) if isinstance(lease, int) and lease > 0 else 0.0
        self._until = time.monotonic() + self._lease_s if self._lease_s else None
        self._renewable = auth.get("renewable") is True

    def _lives(self) -> bool:
        """Whether the login is good, as far as it is allowed to ask."""
        try:
            self._asked("looking the token up", self._client.auth.token.lookup_self)
        except Denied:
            return False
        return True

    def _mount(self, path: str) -> str:
        if any(set(part) <= {"."} for part in path.strip("/").split("/")):
            raise self._login.unavailable(
                "a mount has no empty, . or .. part", "auth-mount", "Write it as the server lists it."
            )
        return path.strip("/")

    def _ended(self, why: str) -> Exception:
        return self._login.no_answer(
            f"the login to {self._login.service} has ended, and cannot be made anew: {why}",
            "auth",
            "Give fresh credentials, then run the same command again: it goes on where it was.",
        )

    # -- one request -----------------------------------------------------------------------------------------------

    def _asked(self, what: str, ask: Callable[[], Any], *, twice: bool = True) -> Any:
        """One request. Overload and lost replies are asked again within ``TOTAL_S``; lost replies only if ``twice``."""
        import requests
        from hvac import exceptions  # type: ignore[import-untyped]

        end = time.monotonic() + TOTAL_S
        wait_s = 0.2
        while True:
            try:
                answer = within(end - time.monotonic(), ask)
                if isinstance(answer, dict):
                    return answer
                why, again = "its answer is not JSON", False
            except TooLate:
                why, again = f"no answer within {TOTAL_S:.0f} s", False
            except (exceptions.RateLimitExceeded, exceptions.VaultDown) as error:
                why, again = f"it is overloaded, sealed or in standby ({_status(error)})", True
            except (
                exceptions.BadGateway,
                exceptions.InternalServerError,
                exceptions.UnexpectedError,
                exceptions.VaultNotInitialized,
            ) as error:
                why, again = f"it failed ({_status(error)})", twice
            except exceptions.VaultError as error:
                raise Denied(_CODES.get(type(error).__name__, 400), _said(error)) from None
            except requests.RequestException as error:
                if isinstance(error, requests.exceptions.SSLError) and is_untrusted(error):
                    raise self._login.unavailable(
                        "the service's TLS certificate is not trusted",
                        "url",
                        "See what answers there. Another certificate authority is named by VAULT_CACERT.",
                    ) from None
                why, again = _transport_problem(error)
                again = again and (twice or isinstance(error, requests.ConnectTimeout))
            pause_s = wait_s * random.uniform(0.5, 1.5)  # noqa: S311 - jitter, not a secret
            if not again or time.monotonic() + pause_s >= end:
                raise self._login.no_answer(
                    f"{what} at {self._login.service} failed: {why}",
                    "url",
                    "See that the service runs and can be reached, then run the same command again.",
                ) from None
            time.sleep(pause_s)
            wait_s = min(wait_s * 2, 3.0)


_CODES = {"InvalidRequest": 400, "Unauthorized": 401, "Forbidden": 403, "InvalidPath": 404, "PreconditionFailed": 412}


def _status(error: Any) -> str:
    return type(error).__name__


def _said(error: Any) -> str:
    """The server's own words, short and without secrets; never the library's, which name the URL."""
    words = " ".join(" ".join(str(text).split()) for text in error.errors or [])
    return printable(redact(words), 300) or "no reason given"


def _transport_problem(error: Any) -> tuple[str, bool]:
    """Why, and whether asking again may help. The library's own text names the URL."""
    import requests

    from pipeline.signing.vault_transport import Redirected, ReplyTooLarge

    if isinstance(error, Redirected):
        return "it redirects, and credentials do not follow", False
    if isinstance(error, ReplyTooLarge):
        return "its answer is too large", False
    if isinstance(error, requests.Timeout):
        return "no answer in time", True
    return "it cannot be reached", True
