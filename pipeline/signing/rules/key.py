"""Whose key signs, and what keeps it."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.signing.base import Assurance
from pipeline.signing.rules.base import Request

__all__ = ["KeptBy", "PinnedSigner", "weaker"]

_ORDER: tuple[Assurance, ...] = ("software", "service", "hardware")


def weaker(found: Assurance, required: Assurance) -> bool:
    return _ORDER.index(found) < _ORDER.index(required)


@dataclass(frozen=True)
class PinnedSigner:
    """The key is the one the plan was made for, and the one the target pins."""

    address: str
    planned: str
    pinned: str | None
    name: str = "signer"

    def problem(self, request: Request) -> str | None:
        for what, wanted in (("the plan was made for", self.planned), ("the target pins", self.pinned)):
            if wanted is not None and wanted.lower() != self.address.lower():
                return f"the key is {self.address}, {what} {wanted}"
        return None


@dataclass(frozen=True)
class KeptBy:
    """``require``: the backend says what keeps its key, and that is enough for this target."""

    backend: str
    found: Assurance
    required: Assurance
    name: str = "require"

    def problem(self, request: Request) -> str | None:
        if weaker(self.found, self.required):
            return f"the {self.backend} key is kept by {self.found}, the target requires {self.required}"
        return None
