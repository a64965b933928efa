"""What a change of an interface means to those who use it: the word that every comparison of two builds ends in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["Change", "Effect", "added_and_removed"]

Effect = Literal["breaking", "addition", "internal"]
"""``breaking``: what worked against the old one may not work against the new one. ``internal``: no caller can tell."""


@dataclass(frozen=True)
class Change:
    """One difference; ``where`` names what differs (``function pause()``), ``text`` says how."""

    effect: Effect
    where: str
    text: str

    def __str__(self) -> str:
        return f"{self.where}: {self.text}"


def added_and_removed(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    """What only one of the two has, by name: removals break, additions add."""
    yield from (Change("breaking", name, "removed") for name in old if name not in new)
    yield from (Change("addition", name, "added") for name in new if name not in old)
