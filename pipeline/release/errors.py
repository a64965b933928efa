"""Why a release is not published.

NotReady           something on this side or on GitHub's is not as a release needs it; every reason is named
TagElsewhere       the tag exists on another commit (fault 44)
AlreadyDifferent   the release is published, and is not this one
ForeignDraft       a draft of this tag that somebody else wrote
NotSeen            what was written is not there when looked for
AssetWrong         an asset's digest is not the one of its bytes (fault 46)
TagNotMade         git could not make or push the tag
AssetUnfit         a file that cannot be an asset
"""

from __future__ import annotations

from chains.errors import Refused, Resumable

__all__ = [
    "AlreadyDifferent",
    "AssetUnfit",
    "AssetWrong",
    "ForeignDraft",
    "NotReady",
    "NotSeen",
    "TagElsewhere",
    "TagNotMade",
]

_UNCHANGED = "Nothing was published; what is on GitHub stays as it is."


class NotReady(Refused):
    """SHIP-R20: the release cannot be made yet. ``reasons`` holds all that was found."""

    code = "SHIP-R20"

    def __init__(self, reasons: list[tuple[str, str]]) -> None:
        cause = "\n".join(reason for reason, _ in reasons)
        super().__init__(cause, remedy=" ".join(dict.fromkeys(remedy for _, remedy in reasons)))
        self.reasons = tuple(reason for reason, _ in reasons)

    @classmethod
    def default_done(cls) -> str:
        return "Nothing was written to GitHub."


class TagElsewhere(Refused):
    """SHIP-R21: the tag exists and stands for another commit."""

    code = "SHIP-R21"

    @classmethod
    def default_done(cls) -> str:
        return _UNCHANGED


class AlreadyDifferent(Refused):
    """SHIP-R22: a release of this tag is published and differs from this one. It is never touched."""

    code = "SHIP-R22"

    @classmethod
    def default_done(cls) -> str:
        return "The published release was not touched."


class ForeignDraft(Refused):
    """SHIP-R23: GitHub has a draft of this tag that is not ours, and takes no second."""

    code = "SHIP-R23"

    @classmethod
    def default_done(cls) -> str:
        return _UNCHANGED


class NotSeen(Resumable):
    """SHIP-R24: GitHub took a write and does not show it yet."""

    code = "SHIP-R24"

    @classmethod
    def default_done(cls) -> str:
        return "Nothing was published half; the same command looks again and goes on."


class AssetWrong(Resumable):
    """SHIP-R25: GitHub holds other bytes than were sent."""

    code = "SHIP-R25"

    @classmethod
    def default_done(cls) -> str:
        return "The release stays a draft; the wrong asset is replaced by the same command."


class TagNotMade(Refused):
    """SHIP-R26: git could not make or push the tag."""

    code = "SHIP-R26"

    @classmethod
    def default_done(cls) -> str:
        return _UNCHANGED


class AssetUnfit(Refused):
    """SHIP-R27: a file that cannot be an asset."""

    code = "SHIP-R27"

    @classmethod
    def default_done(cls) -> str:
        return "Nothing was written to GitHub."
