"""Which version a candidate becomes."""

from __future__ import annotations

import re

from pipeline.promotion.errors import NotACandidate

__all__ = ["final_version"]


def final_version(tag: str, to: str | None) -> tuple[str, str]:
    """``(candidate's tag, final version)``; ``v`` may be left out. Raises ``NotACandidate``."""
    tag = f"v{tag.removeprefix('v')}"
    match = re.fullmatch(r"v((?:0|[1-9]\d*)\.(?:0|[1-9]\d*)\.(?:0|[1-9]\d*))-rc\.(?:0|[1-9]\d*)", tag)
    if match is None:
        raise NotACandidate(f"{tag} is no release candidate", remedy="Name one, as v1.2.0-rc.3.")
    final = match[1]
    if to is not None and to.removeprefix("v") != final:
        raise NotACandidate(
            f"{tag} becomes v{final}, not v{to.removeprefix('v')}",
            remedy="The bytes were tried as that version. Release another version as a candidate of its own.",
        )
    return tag, final
