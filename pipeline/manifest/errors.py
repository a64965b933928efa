"""Everything a manifest can be refused for, one class a kind. Codes are stable.

Refused
├── ManifestInvalid      a file; carries every problem found in it
│   └── ProjectNotFound … NothingToInit     SHIP-M01 … SHIP-M39
└── SecretUnavailable, SecretStoreMissing   a secret cannot be had; neither says its value
Resumable
└── SecretStoreNoAnswer  a secret cannot be had just now
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn, Self

from chains.errors import Refused, Resumable, Where

__all__ = ["MAX_PROBLEMS", "ManifestInvalid", "did_you_mean", "raise_all"]

MAX_PROBLEMS = 20


class ManifestInvalid(Refused):
    """A manifest is refused. ``problems`` holds all that was found, itself first, at most ``MAX_PROBLEMS``."""

    code = "SHIP-M00"

    def __init__(self, cause: str, *, remedy: str, done: str | None = None, where: Where | None = None) -> None:
        super().__init__(cause, remedy=remedy, done=done, where=where)
        self.problems: tuple[ManifestInvalid, ...] = (self,)

    def leading(self, others: Sequence[ManifestInvalid]) -> Self:
        """This problem as the first of several."""
        self.problems = (self, *others[: MAX_PROBLEMS - 1])
        return self

    def to_json(self) -> dict[str, Any]:
        """As every error, and ``problems``: the same object for each problem found."""
        own = super().to_json()
        return {**own, "problems": [Refused.to_json(problem) for problem in self.problems]}


def raise_all(problems: Iterable[ManifestInvalid]) -> None:
    """Raise the first of ``problems`` (in file order) with the rest on it; do nothing when there are none."""
    found = sorted(problems, key=lambda p: ((p.where.line or 0), (p.where.column or 0)) if p.where else (0, 0))
    if found:
        _raise(found)


def _raise(found: list[ManifestInvalid]) -> NoReturn:
    raise found[0].leading(found[1:])


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``Did you mean "x"?`` with a space before it, or nothing. Case does not count."""
    by_folded = {name.casefold(): name for name in known}
    close = difflib.get_close_matches(word.casefold()[:80], by_folded, n=1, cutoff=0.6)
    return f' Did you mean "{by_folded[close[0]]}"?' if close else ""


class ProjectNotFound(ManifestInvalid):
    """There is no ``ship.toml`` in the folder."""

    code = "SHIP-M01"


class UnknownTarget(ManifestInvalid):
    """No ``manifests/<target>.toml`` of that name."""

    code = "SHIP-M02"


class Unreadable(ManifestInvalid):
    """The file is there and cannot be read: rights, a folder, a pipe."""

    code = "SHIP-M03"


class TooLarge(ManifestInvalid):
    """More than 1 MiB."""

    code = "SHIP-M04"


class NotUtf8(ManifestInvalid):
    """Not UTF-8, or UTF-8 with a byte order mark."""

    code = "SHIP-M05"


class EmptyFile(ManifestInvalid):
    """Nothing in it but space and comments."""

    code = "SHIP-M06"


class SuspectCharacter(ManifestInvalid):
    """Text that does not say what it shows: bidirectional, invisible, control or mixed-script characters."""

    code = "SHIP-M07"


class BadToml(ManifestInvalid):
    """Not TOML."""

    code = "SHIP-M08"


class TooDeep(ManifestInvalid):
    """Nested deeper than any manifest needs."""

    code = "SHIP-M09"


class DuplicateKey(ManifestInvalid):
    """A key or table stands twice."""

    code = "SHIP-M10"


class UnknownKey(ManifestInvalid):
    """A key that means nothing here."""

    code = "SHIP-M11"


class MissingKey(ManifestInvalid):
    """A key that must be there."""

    code = "SHIP-M12"


class WrongType(ManifestInvalid):
    """A number where text is wanted, and the like."""

    code = "SHIP-M13"


class BadValue(ManifestInvalid):
    """The right type, and not one of the values allowed."""

    code = "SHIP-M14"


class WrongSchema(ManifestInvalid):
    """A ``schema`` number this version does not read."""

    code = "SHIP-M15"


class BadAmount(ManifestInvalid):
    """An amount of the native currency that is not exact, not in range, or has an unknown unit."""

    code = "SHIP-M16"


class BadNumber(ManifestInvalid):
    """A float, or an integer no EVM type holds."""

    code = "SHIP-M17"


class BadAddress(ManifestInvalid):
    """An address whose EIP-55 checksum or length is wrong."""

    code = "SHIP-M18"


class LiteralSecret(ManifestInvalid):
    """A secret itself where a reference belongs. Its value is never shown."""

    code = "SHIP-M19"


class BadPath(ManifestInvalid):
    """A path that is absolute, climbs out, or could be taken for an option."""

    code = "SHIP-M20"


class PathLeavesRoot(ManifestInvalid):
    """A path that a symbolic link leads out of the project."""

    code = "SHIP-M21"


class BadName(ManifestInvalid):
    """A unit or target name of the wrong form."""

    code = "SHIP-M22"


class BadReference(ManifestInvalid):
    """``${…}`` that cannot be read, or stands where it cannot."""

    code = "SHIP-M23"


class UnknownReference(ManifestInvalid):
    """``${…}`` to something that is not there."""

    code = "SHIP-M24"


class UnknownBuiltin(ManifestInvalid):
    """``extends`` names no built-in manifest."""

    code = "SHIP-M25"


class UnknownChain(ManifestInvalid):
    """``chain`` names no known chain, or disagrees with what is known of it."""

    code = "SHIP-M26"


class BadVersion(ManifestInvalid):
    """No SemVer 2.0 version, or none found where ``version-from`` points."""

    code = "SHIP-M27"


class BadUrl(ManifestInvalid):
    """A URL that is malformed or without TLS."""

    code = "SHIP-M28"


class ForbiddenHost(ManifestInvalid):
    """A URL at a link-local or cloud metadata address."""

    code = "SHIP-M29"


class BadSecretReference(ManifestInvalid):
    """Not of the form ``env:NAME`` or ``file:PATH``."""

    code = "SHIP-M30"


class NotBuiltYet(ManifestInvalid):
    """Understood, and this version of ship cannot do it."""

    code = "SHIP-M33"


class NotOfThisChain(ManifestInvalid):
    """The target's chain has none of what the command is about."""

    code = "SHIP-M50"


class VersionsDiffer(ManifestInvalid):
    """A file of ``version-files`` says another version than the project."""

    code = "SHIP-M51"


class Contradiction(ManifestInvalid):
    """Keys that cannot stand together."""

    code = "SHIP-M34"


class UnknownUnit(ManifestInvalid):
    """``after`` or ``overrides`` names no unit."""

    code = "SHIP-M35"


class BadSignature(ManifestInvalid):
    """Not a function signature such as ``owner()(address)``, or not as many arguments as it takes."""

    code = "SHIP-M36"


class MissingParam(ManifestInvalid):
    """``${params.x}`` without an ``x`` in the target's ``[params]``."""

    code = "SHIP-M37"


class WouldOverwrite(ManifestInvalid):
    """``ship init`` where there is a manifest already."""

    code = "SHIP-M38"


class NothingToInit(ManifestInvalid):
    """``ship init`` found no Foundry and no Anchor project."""

    code = "SHIP-M39"


class SecretUnavailable(Refused):
    """A reference to a secret that resolves to nothing: no such variable, no such file."""

    code = "SHIP-M40"


class SecretStoreMissing(Refused):
    """What reads the store of a reference is not installed."""

    code = "SHIP-M41"


class SecretStoreNoAnswer(Resumable):
    """The store of a reference did not answer, or no longer takes our login. Nothing was sent."""

    code = "SHIP-M42"
