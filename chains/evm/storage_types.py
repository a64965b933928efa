"""Types inside a storage layout, and whether a value of one may be read as the other."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Types", "type_problem"]

_Pair = tuple[str, str]


@dataclass(frozen=True)
class Types:
    """One layout (solc's form) with what its named types mean, and who declares each of its variables, if known."""

    layout: Mapping[str, Any]
    named: Mapping[str, Any] = field(default_factory=dict)
    owners: Sequence[str] = ()

    @property
    def storage(self) -> Sequence[Mapping[str, Any]]:
        return self.layout.get("storage") or ()

    def get(self, key: str) -> Mapping[str, Any]:
        kind: Mapping[str, Any] = (self.layout.get("types") or {})[key]
        return kind

    def size(self, key: str) -> int:
        return int(self.get(key)["numberOfBytes"])

    def label(self, key: str) -> str:
        return str(self.get(key)["label"])

    def enum(self, key: str) -> Sequence[str] | None:
        """The members of an enum, or ``None`` when it is none, or they are not known."""
        kind = self.get(key)
        members = kind.get("enum") or self.named.get(kind["label"])
        return members if isinstance(members, list | tuple) else None

    def underlying(self, key: str) -> str:
        """The label of a value type's underlying type; of any other type its own."""
        kind = self.get(key)
        known = kind.get("underlying") or self.named.get(kind["label"])
        return str(known) if isinstance(known, str) else str(kind["label"])


def type_problem(
    old: Types, a: str, new: Types, b: str, *, resizable: bool = True, _seen: frozenset[_Pair] = frozenset()
) -> str | None:
    """Why the bytes of an ``a`` may not be read as a ``b``; ``None`` when they may.

    ``resizable``: the value may become longer in place (a variable of its own, a mapping's value), because what follows it
    is compared by itself. Elements of arrays may not.
    """
    if (a, b) in _seen:
        return None  # a struct that reaches itself through a mapping
    seen = _seen | {(a, b)}
    before, after = old.get(a), new.get(b)
    if _form(before) != _form(after):
        return _changed(old, a, new, b)
    match _form(before):
        case "mapping":
            key = type_problem(old, before["key"], new, after["key"], resizable=False, _seen=seen)
            value = type_problem(old, before["value"], new, after["value"], _seen=seen)
            return f"keys of the mapping: {key}" if key else f"values of the mapping: {value}" if value else None
        case "dynamic array":
            element = type_problem(old, before["base"], new, after["base"], resizable=False, _seen=seen)
            return f"elements of the array: {element}" if element else None
        case "array":
            return _array(old, a, new, b, resizable=resizable, seen=seen)
        case "struct":
            return _struct(old, a, new, b, resizable=resizable, seen=seen)
        case _:
            return _value(old, a, new, b)


def _form(kind: Mapping[str, Any]) -> str:
    if kind["encoding"] == "mapping":
        return "mapping"
    if kind["encoding"] == "dynamic_array":
        return "dynamic array"
    if "base" in kind:
        return "array"
    return "struct" if "members" in kind else "value"


def _changed(old: Types, a: str, new: Types, b: str) -> str:
    return f"{old.label(a)} became {new.label(b)}"


def _value(old: Types, a: str, new: Types, b: str) -> str | None:
    members, now = old.enum(a), new.enum(b)
    if members is not None and now is not None:
        if list(now[: len(members)]) == list(members):
            return None if old.size(a) == new.size(b) else _changed(old, a, new, b)
        return f"{old.label(a)} has other members: {', '.join(members)} before, {', '.join(now)} now"
    mine, theirs = _plain(old.underlying(a)), _plain(new.underlying(b))
    return None if mine == theirs and old.size(a) == new.size(b) else _changed(old, a, new, b)


def _plain(label: str) -> str:
    """Contracts and payable addresses are addresses in storage."""
    return "address" if label == "address payable" or re.match(r"(contract|interface) ", label) else label


def _array(old: Types, a: str, new: Types, b: str, *, resizable: bool, seen: frozenset[_Pair]) -> str | None:
    element = type_problem(old, old.get(a)["base"], new, new.get(b)["base"], resizable=False, _seen=seen)
    if element:
        return f"elements of the array: {element}"
    before, after = _length(old.label(a)), _length(new.label(b))
    return _changed(old, a, new, b) if after < before or (after > before and not resizable) else None


def _length(label: str) -> int:
    match = re.search(r"\[(\d+)\]$", label)
    return int(match[1]) if match else 0


def _struct(old: Types, a: str, new: Types, b: str, *, resizable: bool, seen: frozenset[_Pair]) -> str | None:
    """Members by place; new ones only behind all others, or in bytes nothing used."""
    before, after = old.get(a)["members"], new.get(b)["members"]
    places = {(m["slot"], m["offset"]): m for m in after}
    for member in before:
        now = places.get((member["slot"], member["offset"]))
        name = f"{old.label(a)}.{member['label']}"
        if now is None:
            return f"{name} is gone from its place"
        problem = type_problem(old, member["type"], new, now["type"], _seen=seen)
        if problem:
            return f"{name}: {problem}"
        if now["label"] != member["label"]:
            return f"{name} is called {now['label']} now"
    if old.size(a) != new.size(b) and not resizable:
        return f"{old.label(a)} became longer, and so moves whatever follows it"
    return None
