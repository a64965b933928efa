"""Who logs in to an OpenBao or Vault server, and what it says when that fails: the seam between a session and its user."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from pipeline.signing.context import SignerContext, SignerNoAnswer
from pipeline.signing.vault_transport import server_url

__all__ = ["SignerLogin", "VaultLogin"]


class VaultLogin(Protocol):
    """``secret`` names: token (also a JWT), role-id, secret-id. It raises where there is none."""

    @property
    def service(self) -> str: ...
    @property
    def auth(self) -> str: ...
    @property
    def auth_mount(self) -> str | None: ...
    @property
    def role(self) -> str | None: ...
    @property
    def namespace(self) -> str | None: ...
    def url(self) -> str: ...
    def secret(self, key: str) -> str: ...

    def unavailable(self, cause: str, key: str, remedy: str) -> Exception:
        """The error for credentials or settings that are none. ``key`` is the setting meant."""
        ...

    def no_answer(self, cause: str, key: str, remedy: str) -> Exception:
        """The error for a server that may answer later."""
        ...


@dataclass(frozen=True)
class SignerLogin:
    """The login of a ``[signer]`` table."""

    context: SignerContext
    service: str = "the service that holds the key"

    @property
    def auth(self) -> str:
        return self.context.spec.auth or "token"

    @property
    def auth_mount(self) -> str | None:
        return self.context.spec.auth_mount

    @property
    def role(self) -> str | None:
        return self.context.spec.role

    @property
    def namespace(self) -> str | None:
        return self.context.spec.namespace

    def url(self) -> str:
        return server_url(self.context)

    def secret(self, key: str) -> str:
        value = self.context.secret(key)
        if value is None:
            raise self.context.unavailable(
                f"a {self.auth} login needs `{key}`", "auth", f'Add {key} = "env:NAME" under [signer].'
            )
        return value

    def unavailable(self, cause: str, key: str, remedy: str) -> Exception:
        return self.context.unavailable(cause, key, remedy)

    def no_answer(self, cause: str, key: str, remedy: str) -> Exception:
        return SignerNoAnswer(cause, where=self.context.where(key), remedy=remedy)
