"""What can go wrong between ``ship`` and GitHub.

GithubDenied       GitHub knows us and says no, or does not know us
GithubRejected     a request it understood and does not take
GithubUnanswered   no usable answer: whether a write happened is not known, and is looked at before anything else
GithubLimited      too many requests
TokenMissing       nothing to log in with
RepositoryUnclear  which repository is not known
AddressRefused     an address credentials are not sent to
"""

from __future__ import annotations

from chains.errors import Refused, Resumable

__all__ = [
    "AddressRefused",
    "GithubDenied",
    "GithubLimited",
    "GithubRejected",
    "GithubUnanswered",
    "RepositoryUnclear",
    "TokenMissing",
]

DONE = "What is on GitHub stays as it is; the same command looks at it and goes on."


class GithubDenied(Refused):
    """SHIP-U10: GitHub does not allow it."""

    code = "SHIP-U10"

    @classmethod
    def default_done(cls) -> str:
        return DONE


class GithubRejected(Refused):
    """SHIP-U11: GitHub does not take the request. ``status`` is HTTP's."""

    code = "SHIP-U11"

    def __init__(self, cause: str, *, remedy: str, status: int = 0) -> None:
        super().__init__(cause, remedy=remedy)
        self.status = status

    @classmethod
    def default_done(cls) -> str:
        return DONE


class GithubUnanswered(Resumable):
    """SHIP-U12: GitHub gave no usable answer."""

    code = "SHIP-U12"

    @classmethod
    def default_done(cls) -> str:
        return DONE


class GithubLimited(Resumable):
    """SHIP-U13: GitHub asks for patience."""

    code = "SHIP-U13"

    @classmethod
    def default_done(cls) -> str:
        return DONE


class TokenMissing(Refused):
    """SHIP-U14: there is nothing to log in to GitHub with."""

    code = "SHIP-U14"


class RepositoryUnclear(Refused):
    """SHIP-U15: which repository is meant is not known."""

    code = "SHIP-U15"


class AddressRefused(Refused):
    """SHIP-U16: an address that is not to be asked, or not with credentials."""

    code = "SHIP-U16"

    @classmethod
    def default_done(cls) -> str:
        return DONE
