"""``allow-actions``: the kinds of action that may be signed."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.signing.rules.base import Request

__all__ = ["AllowedKinds"]


@dataclass(frozen=True)
class AllowedKinds:
    """The planned kind counts, and what the bytes do: a transaction without a recipient creates, whatever it is called."""

    allowed: frozenset[str]
    name: str = "allow-actions"

    def problem(self, request: Request) -> str | None:
        kinds = {action.kind for action in request.covers}
        if request.unsigned is not None and request.unsigned.to is None:
            kinds.add("create")
        refused = sorted(kinds - self.allowed)
        return f"actions of kind {', '.join(refused)} are not allowed" if refused else None
