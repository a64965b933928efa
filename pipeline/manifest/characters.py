"""Characters that make a text read differently from what it says.

Bidirectional controls (CVE-2021-42574, "Trojan Source"), invisible format characters, control characters, and words that
mix Latin letters with look-alikes of other scripts (Unicode TR39, mixed-script confusables). Comments count too: a
reviewer reads them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from chains.errors import Where
from pipeline.manifest.errors import SuspectCharacter

__all__ = ["Suspect", "suspect_characters", "suspicion"]

_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_BLANK = "\u115f\u1160\u3164\uffa0\u2800\u034f"  # letters and marks that show nothing
_ORDINARY = re.compile(r"[\x20-\x7e\t\n]*")
_WORD = re.compile(r"\w+")
_LOOK_ALIKE = ("CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC", "LISU")
_STYLED = ("FULLWIDTH", "MATHEMATICAL")


@dataclass(frozen=True)
class Suspect:
    """One such character and its place (from 1)."""

    line: int
    column: int
    what: str

    def problem(self, where: Where) -> SuspectCharacter:
        return SuspectCharacter(
            f"Here stands {self.what}: the text may read differently from what it says.",
            remedy="Delete the character, or type the word again in one script.",
            where=where,
        )


def suspect_characters(text: str) -> Iterator[Suspect]:
    """The suspects in ``text``, in order, one a line."""
    for number, line in enumerate(text.split("\n"), 1):
        body = line.removesuffix("\r")
        found = None if _ORDINARY.fullmatch(body) else suspicion(body)
        if found:
            yield Suspect(number, found[0] + 1, found[1])


def suspicion(text: str) -> tuple[int, str] | None:
    """The first suspect character of ``text``: its index and what it is."""
    if _ORDINARY.fullmatch(text):
        return None
    for at, char in enumerate(text):
        kind = _kind(char)
        if kind:
            return at, f"the {kind} {_named(char)}"
    return _mixed_scripts(text)


def _kind(char: str) -> str | None:
    category = unicodedata.category(char)
    if char in _BIDI:
        return "bidirectional control"
    if category == "Cc" and char not in "\t\n":
        return "control character"
    if category in {"Cf", "Zl", "Zp", "Co", "Cn", "Cs"} or char in _BLANK:
        return "invisible character"
    if category[0] in "LN" and unicodedata.name(char, "").startswith(_STYLED):
        return "look-alike"
    return None


def _mixed_scripts(text: str) -> tuple[int, str] | None:
    """The first letter that looks Latin and is not, in a word of Latin letters."""
    for word in _WORD.finditer(text):
        names = [unicodedata.name(char, "") for char in word.group()]
        if any(name.startswith("LATIN") for name in names):
            for offset, name in enumerate(names):
                if name.startswith(_LOOK_ALIKE):
                    return word.start() + offset, f"{_named(word.group()[offset])} in a word of Latin letters"
    return None


def _named(char: str) -> str:
    return f"U+{ord(char):04X} {unicodedata.name(char, '')}".rstrip()
