"""The arithmetic of versions: SemVer 2.0, prereleases as ``alpha.N``, ``beta.N`` and ``rc.N``.

SemVer leaves open what 0.y.z promises. Here it is read as Cargo and npm's caret read it: before 1.0.0 what breaks raises
the minor number, and everything else the patch number.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from enum import IntEnum

from semver import Version

from pipeline.versioning.errors import GoesBack, VersionForm

__all__ = ["CHANNELS", "Level", "core", "is_stable", "next_version", "ordered", "raised", "release_version"]

CHANNELS = ("alpha", "beta", "rc")
_PRERELEASE = re.compile(r"(?:alpha|beta|rc)\.(?:0|[1-9]\d*)")


class Level(IntEnum):
    """How much a version has to be raised."""

    NONE = 0
    PATCH = 1
    MINOR = 2
    MAJOR = 3

    @property
    def word(self) -> str:
        return self.name.lower()


def ordered(text: str) -> Version | None:
    """The version ``text`` (a ``v`` before it is left out), ``None`` where it is none that can be put in order."""
    try:
        version = Version.parse(text.removeprefix("v"))
    except ValueError:
        return None
    well_formed = version.prerelease is None or _PRERELEASE.fullmatch(version.prerelease)
    return version if well_formed else None


def release_version(text: str) -> Version:
    """As ``ordered``. Raises ``VersionForm``."""
    version = ordered(text)
    if version is None:
        raise VersionForm(
            f"{text} cannot be put in order: a prerelease is alpha.N, beta.N or rc.N (rc9 would sort above rc10).",
            remedy='Write it as "1.2.0", "1.2.0-rc.1", "1.2.0-beta.1" or "1.2.0-alpha.1".',
        )
    return version


def is_stable(version: Version) -> bool:
    return version.prerelease is None


def core(version: Version) -> Version:
    """X.Y.Z alone: the stable version that a prerelease leads to."""
    return version.finalize_version()


def raised(base: Version, level: Level) -> Version:
    """The least stable version that may follow the stable ``base`` with changes of this level."""
    if base.major == 0:
        level = {Level.MAJOR: Level.MINOR, Level.MINOR: Level.PATCH}.get(level, level)
    match level:
        case Level.MAJOR:
            return base.bump_major()
        case Level.MINOR:
            return base.bump_minor()
        case Level.PATCH:
            return base.bump_patch()
        case _:
            return base


def next_version(stable: Version, channel: str | None, released: Collection[Version]) -> Version:
    """``stable`` itself, or the next prerelease that leads to it on ``channel``.

    Raises ``GoesBack`` where a higher channel of the same version is released already.
    """
    if channel is None:
        return stable
    before = [version for version in released if core(version) == stable and not is_stable(version)]
    newest = max(before, default=None)
    if newest is None:
        return stable.replace(prerelease=f"{channel}.1")
    assert newest.prerelease is not None
    reached = newest.prerelease.partition(".")[0]
    if CHANNELS.index(channel) < CHANNELS.index(reached):
        raise GoesBack(
            f"{stable} has reached {newest}, and {channel}.N sorts below {reached}.N",
            remedy=f"Go on with --{reached}, or release {stable}.",
        )
    return newest.next_version("prerelease", channel)
