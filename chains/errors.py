"""The errors a person can meet.

    ShipError
    ├── Refused       exit 2: nothing was sent; change the input and run again
    ├── Resumable     exit 3: stopped in a state the same command continues from
    └── NeedsPerson   exit 4: something only a person can decide

Every concrete error is a subclass of one of the three with a stable ``code``. Its message has four parts: what is
wrong (``cause``), what was and was not done (``done``), what to do (``remedy``), and where in the user's files
(``where``). Exit code 1 is reserved for bugs of ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

__all__ = ["NeedsPerson", "Refused", "Resumable", "ShipError", "Where", "printable"]


@dataclass(frozen=True)
class Where:
    """A place in a user's file. ``line`` and ``column`` count from 1; ``key`` is the dotted TOML key."""

    file: str
    line: int | None = None
    column: int | None = None
    key: str | None = None

    def __str__(self) -> str:
        place = self.file
        if self.line is not None:
            place += f":{self.line}"
            if self.column is not None:
                place += f":{self.column}"
        return f"{place} ({self.key})" if self.key else place


def printable(text: str, limit: int = 2_000) -> str:
    """``text`` from outside, safe to show: control and bidirectional characters escaped, length capped."""
    shown = "".join(c if c == "\n" or c.isprintable() else c.encode("unicode_escape").decode() for c in text[:limit])
    return shown if len(text) <= limit else f"{shown}… ({len(text)} characters)"


class ShipError(Exception):
    """Base of every error ``ship`` shows a person. Never raised itself."""

    code: ClassVar[str] = "SHIP-000"
    exit_code: ClassVar[int] = 1
    outcome: ClassVar[str] = "bug"

    def __init__(self, cause: str, *, remedy: str, done: str | None = None, where: Where | None = None) -> None:
        super().__init__(cause)
        self.cause = printable(cause)
        self.remedy = remedy
        self.done = done if done is not None else self.default_done()
        self.where = where

    @classmethod
    def default_done(cls) -> str:
        return ""

    def to_json(self) -> dict[str, Any]:
        """The ``error`` object of ``--json`` output."""
        where = self.where
        return {
            "code": self.code,
            "cause": self.cause,
            "done": self.done,
            "remedy": self.remedy,
            "file": where.file if where else None,
            "line": where.line if where else None,
            "column": where.column if where else None,
            "key": where.key if where else None,
        }


class Refused(ShipError):
    """Nothing was sent. Change what the remedy names and run again."""

    code = "SHIP-R00"
    exit_code = 2
    outcome = "refused"

    @classmethod
    def default_done(cls) -> str:
        return "Nothing was sent."


class Resumable(ShipError):
    """Stopped part-way, with everything that was done on disk. The same command continues."""

    code = "SHIP-S00"
    exit_code = 3
    outcome = "resumable"

    @classmethod
    def default_done(cls) -> str:
        return "What was done is in the journal; nothing is lost."


class NeedsPerson(ShipError):
    """The chain or the files say something ``ship`` must not decide by itself."""

    code = "SHIP-P00"
    exit_code = 4
    outcome = "person"

    @classmethod
    def default_done(cls) -> str:
        return "The run halted; nothing more was signed or sent."
