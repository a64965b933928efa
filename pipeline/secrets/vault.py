"""``vault:MOUNT/PATH#FIELD``: a secret of a KV version 2 engine of OpenBao or HashiCorp Vault.

Where the server is and who we are comes from the environment, in the names its own command line reads, BAO_… before VAULT_…:
ADDR, NAMESPACE, TOKEN; VAULT_CACERT. A machine logs in with ROLE_ID and SECRET_ID (AppRole) or JWT and ROLE, at
AUTH_MOUNT if the method is mounted elsewhere.

API: https://openbao.org/api-docs/secret/kv/kv-v2/.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pipeline.manifest.secrets import register_secret
from pipeline.manifest.urls import UrlError, forbidden_host, parse_url
from pipeline.secrets.base import NoAnswer, NotGiven, with_field
from pipeline.signing.service import is_private
from pipeline.signing.vault_session import Denied, VaultSession

__all__ = ["EnvironmentLogin", "VaultStore", "open_store"]

_LOGINS = {"token": "TOKEN", "role-id": "ROLE_ID", "secret-id": "SECRET_ID"}


_SILENCE_S = 30.0
"""How long a server that did not answer is not asked again: else every target of a run would wait for it in turn."""


class _Silent(NoAnswer):
    """The server itself, not one secret, gave no answer."""


@dataclass(frozen=True)
class EnvironmentLogin:
    """The login a person or a job has in ``environment``."""

    environment: Mapping[str, str]
    service: str = "the server that holds it"

    @property
    def auth(self) -> str:
        methods = {"TOKEN": "token", "ROLE_ID": "approle", "JWT": "jwt"}
        found = next((method for name, method in methods.items() if self._get(name)), None)
        if found is None:
            raise NotGiven(
                "there is no login to OpenBao or Vault in the environment",
                "Set VAULT_TOKEN; or VAULT_ROLE_ID and VAULT_SECRET_ID; or VAULT_JWT and VAULT_ROLE.",
            )
        return found

    @property
    def auth_mount(self) -> str | None:
        return self._get("AUTH_MOUNT")

    @property
    def role(self) -> str | None:
        return self._get("ROLE")

    @property
    def namespace(self) -> str | None:
        return self._get("NAMESPACE")

    def url(self) -> str:
        url = self._get("ADDR")
        if url is None:
            raise NotGiven("VAULT_ADDR (or BAO_ADDR) is not set", "Set it to https://host:port of the server.")
        try:
            parse_url(url)
        except UrlError as error:
            raise NotGiven(f"VAULT_ADDR (or BAO_ADDR) is refused: {error}") from None
        if forbidden_host(url, ()):
            raise NotGiven("VAULT_ADDR (or BAO_ADDR) points at a link-local or cloud metadata address")
        if not is_private(url):
            raise NotGiven(
                "VAULT_ADDR (or BAO_ADDR) is http:// and not on this machine: the token would travel unencrypted",
                "Set it to an https:// URL.",
            )
        return url.rstrip("/")

    def secret(self, key: str) -> str:
        name = "JWT" if key == "token" and self.auth == "jwt" else _LOGINS[key]
        value = self._get(name)
        if value is None:
            raise NotGiven(f"a {self.auth} login needs VAULT_{name}", f"Set VAULT_{name} (or BAO_{name}).")
        register_secret(value)
        return value

    def unavailable(self, cause: str, key: str, remedy: str) -> Exception:
        return NotGiven(cause, remedy)

    def no_answer(self, cause: str, key: str, remedy: str) -> Exception:
        return _Silent(cause) if key == "url" else NoAnswer(cause)

    def _get(self, name: str) -> str | None:
        found = (self.environment.get(prefix + name, "").strip() for prefix in ("BAO_", "VAULT_"))
        return next((value for value in found if value), None)


class VaultStore:
    """The server ``login`` names. One login serves every reference of a run."""

    def __init__(self, login: EnvironmentLogin) -> None:
        self._session = VaultSession(login)
        self._lock = threading.Lock()
        self._silent: tuple[float, str] | None = None

    def parse(self, rest: str) -> tuple[str, str]:
        name, field = with_field(rest, "vault:MOUNT/PATH#FIELD")
        if any(set(part) <= {"."} for part in name.split("/")) or "/" not in name:
            raise NotGiven("its path has an empty, . or .. part, or no mount", "Write it as vault:MOUNT/PATH#FIELD.")
        return name, field

    def fetch(self, name: str) -> str:
        mount, path = self._place(name)
        try:
            answer = self._asked(
                "reading it",
                lambda client: client.secrets.kv.v2.read_secret_version(
                    path, mount_point=mount, raise_on_deleted_version=True
                ),
            )
        except Denied as error:
            raise _denied(error, f"{mount}/data/{path}") from None
        data: Any = (answer.get("data") or {}).get("data")
        if not isinstance(data, dict):
            raise NoAnswer("the server's answer holds no secret")
        return json.dumps(data)

    def _asked(self, what: str, ask: Callable[[Any], Any]) -> Any:
        with self._lock:
            if self._silent is not None and time.monotonic() < self._silent[0]:
                raise NoAnswer(self._silent[1])
            try:
                return self._session.call(what, ask)
            except _Silent as error:
                self._silent = time.monotonic() + _SILENCE_S, str(error)
                raise

    def _place(self, name: str) -> tuple[str, str]:
        """``(mount, path)``. A mount's own name may hold slashes: the server knows where it ends."""
        try:
            answer = self._asked(
                "finding its mount", lambda client: client.adapter.get(f"/v1/sys/internal/ui/mounts/{quote(name)}")
            )
        except Denied:  # a policy may keep it from us; then it is where most are
            mount, _, path = name.partition("/")
            return mount, path
        found = answer.get("data") or {}
        mount = str(found.get("path") or "").strip("/")
        if found.get("type") != "kv" or (found.get("options") or {}).get("version") != "2":
            raise NotGiven(f"the engine at {mount or name} is not KV version 2", "Only that one is read.")
        if not mount or not name.startswith(f"{mount}/"):
            raise NoAnswer("the server's answer names no mount")
        return mount, name[len(mount) + 1 :]


def open_store(scheme: str, root: Path) -> VaultStore:
    return VaultStore(EnvironmentLogin(os.environ))


def _denied(error: Denied, place: str) -> NotGiven:
    if error.status == 404:
        return NotGiven("the server has nothing there, or its newest version is deleted")
    return NotGiven(
        f"the server refuses reading it (HTTP {error.status}: {error})", f"The login's policy needs read on {place}."
    )
