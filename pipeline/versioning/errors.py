"""Why a version is refused.

VersionForm       a prerelease that is not alpha.N, beta.N or rc.N (rc9 sorts above rc10)
SmallBump         the version promises more than the build keeps; every reason is named
BaseMissing       the bundle of the release before is not here, so that nothing can be compared
GoesBack          a channel below one that the version has reached already
NothingReleased   a target without a stable release to compare with
"""

from __future__ import annotations

from chains.errors import Refused

__all__ = ["BaseMissing", "GoesBack", "NothingReleased", "SmallBump", "VersionForm"]

_NOTHING = "Nothing was written or sent."


class VersionForm(Refused):
    """SHIP-C10: the version cannot be put in order."""

    code = "SHIP-C10"


class SmallBump(Refused):
    """SHIP-C11: what changed asks for a higher version. ``reasons`` are those that ask for it, ``least`` what they ask for."""

    code = "SHIP-C11"

    def __init__(self, cause: str, *, remedy: str, least: str, reasons: tuple[str, ...]) -> None:
        super().__init__(cause, remedy=remedy)
        self.least = least
        self.reasons = reasons

    @classmethod
    def default_done(cls) -> str:
        return _NOTHING


class BaseMissing(Refused):
    """SHIP-C12: the bundle of the release that this build is to be compared with is not here. ``tag`` is that release's."""

    code = "SHIP-C12"
    tag: str | None = None

    @classmethod
    def default_done(cls) -> str:
        return _NOTHING


class GoesBack(Refused):
    """SHIP-C13: a prerelease that would sort below one that is released."""

    code = "SHIP-C13"

    @classmethod
    def default_done(cls) -> str:
        return _NOTHING


class NothingReleased(Refused):
    """SHIP-C14: no stable release of the target to compare with."""

    code = "SHIP-C14"

    @classmethod
    def default_done(cls) -> str:
        return _NOTHING
