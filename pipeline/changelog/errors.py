"""Why a changelog is refused, or is not cut."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chains.errors import Refused, Where

__all__ = ["ChangelogInvalid", "ChangelogNotCut", "NoChangelog", "NoCommits"]

_UNCHANGED = "Nothing was written."


class ChangelogInvalid(Refused):
    """SHIP-C20: the changelog is not in the form of Keep a Changelog. ``problems`` holds all that was found."""

    code = "SHIP-C20"

    def __init__(self, cause: str, *, remedy: str, where: Where | None = None) -> None:
        super().__init__(cause, remedy=remedy, where=where)
        self.problems: tuple[ChangelogInvalid, ...] = (self,)

    @classmethod
    def of(cls, problems: Sequence[ChangelogInvalid]) -> ChangelogInvalid:
        """The first, with all of them on it."""
        problems[0].problems = tuple(problems)
        return problems[0]

    @classmethod
    def default_done(cls) -> str:
        return _UNCHANGED

    def to_json(self) -> dict[str, Any]:
        own = super().to_json()
        return {**own, "problems": [Refused.to_json(problem) for problem in self.problems]}


class ChangelogNotCut(Refused):
    """SHIP-C21: a version cannot be cut from this changelog."""

    code = "SHIP-C21"

    @classmethod
    def default_done(cls) -> str:
        return _UNCHANGED


class NoChangelog(Refused):
    """SHIP-C22: there is no changelog, or it cannot be read."""

    code = "SHIP-C22"

    @classmethod
    def default_done(cls) -> str:
        return _UNCHANGED


class NoCommits(Refused):
    """SHIP-C23: git does not tell what was committed since the last tag."""

    code = "SHIP-C23"

    @classmethod
    def default_done(cls) -> str:
        return _UNCHANGED
