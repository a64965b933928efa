"""The version a build needs, and the refusal of one that is too small."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from semver import Version

from pipeline.bundle import Bundle
from pipeline.manifest.project import Project
from pipeline.versioning.bases import Base, bases_of, compared, newest_of_each_target, released_versions, same_version
from pipeline.versioning.errors import NothingReleased, SmallBump
from pipeline.versioning.floor import Floor, Reason
from pipeline.versioning.numbers import Level, core, next_version, raised, release_version

__all__ = ["Decision", "Held", "decide", "refuse_small_bump"]


@dataclass(frozen=True)
class Held:
    """One release the build was held against."""

    base: Base
    floor: Floor

    @property
    def least(self) -> Version:
        """The least stable version that may follow it."""
        return raised(self.base.version, self.floor.level)

    def to_json(self) -> dict[str, Any]:
        return {
            "tag": self.base.tag,
            "targets": list(self.base.targets),
            "bundle": self.base.bundle,
            "level": self.floor.level.word,
            "least": str(self.least),
            "reasons": [{"level": r.level.word, "unit": r.unit, "text": r.text} for r in self.floor.reasons],
            "left_out": list(self.floor.left_out),
        }


@dataclass(frozen=True)
class Decision:
    """``least`` is the least stable version allowed, ``None`` before the first stable release; ``next`` is ``None`` where
    nothing differs, so that no release is needed."""

    stated: Version
    bundle: str
    held: tuple[Held, ...]
    next: Version | None

    @property
    def level(self) -> Level:
        return max((held.floor.level for held in self.held), default=Level.NONE)

    @property
    def least(self) -> Version | None:
        return max((held.least for held in self.held), default=None)


def decide(project: Project, bundle: Bundle, channel: str | None, *, target: str | None, all_targets: bool) -> Decision:
    """The next version. A version that ``ship.toml`` has raised further already is kept to.

    Raises ``VersionForm``, ``BaseMissing``, ``GoesBack``, ``NothingReleased``.
    """
    stated = release_version(project.version)
    bases = newest_of_each_target(project.root) if all_targets else bases_of(project.root, target)
    if target is not None and not bases:
        raise NothingReleased(
            f"there is no stable release of {target} to compare with",
            remedy="Leave out --chain, or release to it first: its first version is yours to choose.",
        )
    held = tuple(Held(base, compared(project, base, bundle)) for base in bases)
    least = max((one.least for one in held), default=core(stated))
    stable = max(least, core(stated))
    needed = not held or any(one.floor.level for one in held)
    following = next_version(stable, channel, released_versions(project.root)) if needed else None
    return Decision(stated, bundle.digest, held, following)


def refuse_small_bump(project: Project, bundle: Bundle) -> None:
    """Raise ``SmallBump`` where the project's version promises more than ``bundle`` keeps.

    It is held against the newest stable release below it, so that 1.4.1 may follow 1.4.0 when there is a 2.0.0. A prerelease
    needs what the version it leads to needs. Also raises ``VersionForm`` and ``BaseMissing``.
    """
    stated = release_version(project.version)
    for base in same_version(project.root, stated):
        floor = compared(project, base, bundle)
        if floor.reasons:
            raise SmallBump(
                f"{project.version} is released already ({', '.join(base.targets)}), and this build is another\n{_listed(floor.reasons)}",
                remedy="Raise the version (`ship version` says to which), or undo these changes.",
                least=str(raised(core(stated), floor.level)),
                reasons=tuple(str(reason) for reason in floor.reasons),
            )
    for base in bases_of(project.root, below=stated):
        held = Held(base, compared(project, base, bundle))
        if core(stated) < held.least:
            reasons = _asking(held, core(stated))
            raise SmallBump(
                f"{project.version} is too small a step from {base.tag}: what changed asks for {held.least}\n{_listed(reasons)}",
                remedy=f"Raise the version to {held.least} or higher (`ship version --write`), or undo these changes.",
                least=str(held.least),
                reasons=tuple(str(reason) for reason in reasons),
            )


def _listed(reasons: Iterable[Reason]) -> str:
    return "\n".join(f"  {reason.level.word}: {reason}" for reason in reasons)


def _asking(held: Held, stated: Version) -> list[Reason]:
    """Those that ``stated`` does not meet."""
    return [reason for reason in held.floor.reasons if stated < raised(held.base.version, reason.level)]
