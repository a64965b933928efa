"""What a signer backend is given to open its key, and the errors every backend shares."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from chains.errors import Refused, Resumable, Where
from pipeline.manifest.secrets import SecretRef, default_stores, resolve_secret
from pipeline.manifest.signer_spec import SignerSpec
from pipeline.manifest.target import Target

__all__ = ["PasswordSource", "SignerContext", "SignerNoAnswer", "SignerUnavailable"]


class SignerUnavailable(Refused):
    """SHIP-S03: the target's signer cannot be used."""

    code = "SHIP-S03"


class SignerNoAnswer(Resumable):
    """SHIP-S04: the service that holds the key gave no answer, or no longer takes our credentials. Nothing was signed."""

    code = "SHIP-S04"


class PasswordSource(Protocol):
    """Gives ``what`` ("PIN of the token ship"), or ``stored``'s; raises a ``Refused`` when there is none."""

    def __call__(self, what: str, stored: Callable[[], str] | None = None) -> str: ...


@dataclass(frozen=True)
class SignerContext:
    """``[signer]`` of one target, or another ``table`` of its form. ``password`` is ``None`` where nobody may be asked
    (planning, ``ship doctor``)."""

    target: Target
    root: Path
    password: PasswordSource | None = None
    table: str = "signer"

    @property
    def spec(self) -> SignerSpec:
        spec: SignerSpec | None = getattr(self.target.spec, self.table.replace("-", "_"))
        assert spec is not None
        return spec

    def where(self, key: str) -> Where:
        return self.target.layers.where((self.table, key))

    def secret(self, key: str) -> str | None:
        """What the reference under ``key`` (as in TOML) holds, or ``None`` without one. Raises ``SecretUnavailable``."""
        text = getattr(self.spec, key.replace("-", "_"))
        if text is None:
            return None
        return resolve_secret(SecretRef(text, self.where(key)), default_stores(self.root)).reveal()

    def ask(self, what: str, key: str) -> str:
        """``what`` ("PIN of the token ship"): from the command line, the reference under ``key``, or a prompt."""
        stored = (lambda: self.secret(key) or "") if getattr(self.spec, key) is not None else None
        if self.password is None:
            raise self.unavailable(f"the {what} would be needed, and this command asks for none", key)
        return self.password(what, stored)

    def unavailable(
        self, cause: str, key: str = "backend", remedy: str = "See docs/guide/signers.md."
    ) -> SignerUnavailable:
        return SignerUnavailable(cause, where=self.where(key), remedy=remedy)
