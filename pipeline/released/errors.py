"""Why a release cannot be looked at.

ReleaseMissing    there is no such release, or it cannot be read from there
ReleaseUnreadable  a file in it is of no form that can be judged
"""

from __future__ import annotations

from chains.errors import Refused

__all__ = ["ReleaseMissing", "ReleaseUnreadable"]


class ReleaseMissing(Refused):
    """SHIP-R40: there is no release of this tag."""

    code = "SHIP-R40"

    @classmethod
    def default_done(cls) -> str:
        return "Nothing was sent."


class ReleaseUnreadable(Refused):
    """SHIP-R41: the release's files are too many, too large, or not files."""

    code = "SHIP-R41"
