"""Why a candidate is not promoted. Each is raised before anything is sent.

NotACandidate       the tag is no release candidate, or the version is not its final one
CandidateAltered    a byte of it is not the one that was released (fault 48)
CandidateElsewhere  a tag, or this checkout, is another commit (fault 44)
NotPromotable       targets, age, environments: every reason is named
"""

from __future__ import annotations

from chains.errors import Refused

__all__ = ["CandidateAltered", "CandidateElsewhere", "NotACandidate", "NotPromotable"]


class NotACandidate(Refused):
    """SHIP-R43: what is named is no release candidate, or cannot become that version."""

    code = "SHIP-R43"


class CandidateAltered(Refused):
    """SHIP-R44: the candidate's files are not the ones that were released."""

    code = "SHIP-R44"


class CandidateElsewhere(Refused):
    """SHIP-R45: the candidate, its tags and this checkout are not all of one commit."""

    code = "SHIP-R45"


class NotPromotable(Refused):
    """SHIP-R46: the candidate has not been where it has to have been. ``reasons`` holds all that was found."""

    code = "SHIP-R46"

    def __init__(self, reasons: list[tuple[str, str]]) -> None:
        super().__init__(
            "\n".join(reason for reason, _ in reasons),
            remedy=" ".join(dict.fromkeys(remedy for _, remedy in reasons)),
        )
        self.reasons = tuple(reason for reason, _ in reasons)
