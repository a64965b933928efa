"""What ``ship init`` reads from Solidity sources: which contracts there are and what their constructors take.

A reader of declarations, not a compiler: what it cannot tell it leaves to the person, and the build checks it all.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["Contract", "Parameter", "contracts_in"]

_NOISE = re.compile(r"//[^\n]*|/\*[\s\S]*?\*/|\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'")
_CONTRACT = re.compile(r"(?<![\w$])(abstract\s+)?contract\s+([A-Za-z_$][\w$]*)([^{;]*)\{", re.ASCII)
_CALLABLE = r"(?<![\w$]){}\s*\(([^()]*(?:\([^()]*\)[^()]*)*)\)([^{{;]*)[{{;]"
_CONSTRUCTOR = re.compile(_CALLABLE.format("constructor"), re.ASCII)
_INITIALIZE = re.compile(_CALLABLE.format(r"function\s+initialize"), re.ASCII)
_LOCATIONS = {"memory", "calldata", "storage", "payable"}


@dataclass(frozen=True)
class Parameter:
    """A parameter; ``name`` is empty where the source gives none."""

    type: str
    name: str


@dataclass(frozen=True)
class Contract:
    """A deployable contract. ``initialize`` is ``None`` when it has no external function of that name."""

    name: str
    bases: tuple[str, ...]
    constructor: tuple[Parameter, ...]
    initialize: tuple[Parameter, ...] | None


def contracts_in(source: str) -> list[Contract]:
    """The contracts of one file that can be deployed: no interfaces, libraries or abstract contracts."""
    text = _NOISE.sub(lambda match: '""' if match.group()[0] in "\"'" else " ", source)
    found = []
    starts = list(_CONTRACT.finditer(text))
    for position, match in enumerate(starts):
        if match[1]:
            continue
        body = text[match.end() : starts[position + 1].start() if position + 1 < len(starts) else len(text)]
        constructor = _CONSTRUCTOR.search(body)
        initialize = _INITIALIZE.search(body)
        reachable = initialize is not None and re.search(r"\b(external|public)\b", initialize[2])
        found.append(
            Contract(
                name=match[2],
                bases=_bases(match[3]),
                constructor=_parameters(constructor[1]) if constructor else (),
                initialize=_parameters(initialize[1]) if initialize and reachable else None,
            )
        )
    return found


def _bases(heading: str) -> tuple[str, ...]:
    _, found, listed = heading.partition(" is ")
    if not found:
        return ()
    without_arguments = re.sub(r"\([^()]*\)", "", listed)
    return tuple(base.strip() for base in without_arguments.split(",") if base.strip())


def _parameters(text: str) -> tuple[Parameter, ...]:
    parameters = []
    for part in _split(text):
        words = [word for word in re.findall(r"[A-Za-z0-9_$.\[\]()=>,]+", part) if word not in _LOCATIONS]
        if words:
            parameters.append(Parameter(words[0], words[1] if len(words) > 1 else ""))
    return tuple(parameters)


def _split(text: str) -> list[str]:
    parts, depth, current = [], 0, ""
    for char in text:
        depth += (char in "([") - (char in ")]")
        if char == "," and depth == 0:
            parts.append(current)
            current = ""
        else:
            current += char
    return [part for part in (*parts, current) if part.strip()]
