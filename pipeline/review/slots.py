"""Which variable a storage slot belongs to: every place a layout can reach, held against the slots that changed. Pure.

A slot is explained only as far as its changed bytes are: a write beside a packed variable stays unexplained.
Source: Solidity documentation, "Layout of State Variables in Storage and Transient Storage"; ERC-7201.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from chains.evm.address import keccak256
from chains.evm.storage_types import Types
from pipeline.review.keys import KnownKeys
from pipeline.review.values import read_short_text, read_value, whole_number

__all__ = ["Change", "Piece", "Root", "SlotFinder", "erc7201_slot"]

_HASHES = 400_000
"""How many places behind hashes are tried for one contract: a second or two."""
_DEPTH = 4
_ELEMENTS = 4_096
_WHOLE = 2**256

Change = tuple[bytes, bytes]
"""A slot's words before and after."""


def erc7201_slot(namespace: str) -> int:
    """keccak256(abi.encode(uint256(keccak256(id)) - 1)) & ~0xff (ERC-7201)."""
    inner = int.from_bytes(keccak256(namespace.encode()), "big") - 1
    return int.from_bytes(keccak256(inner.to_bytes(32, "big")), "big") & ~0xFF


@dataclass(frozen=True)
class Root:
    """The variables of one layout, from ``slot`` on. ``space`` stands before their names: a namespace, or nothing."""

    types: Types
    slot: int = 0
    space: str = ""


@dataclass(frozen=True)
class Piece:
    """A variable, or a part of one, in a slot. ``offset`` and ``size`` in bytes from the low end of the word."""

    path: str
    type: str
    offset: int
    size: int
    read: Callable[[bytes], bool | int | str]

    def cut(self, word: bytes) -> bytes:
        return word[32 - self.offset - self.size : 32 - self.offset]

    def value(self, word: bytes) -> bool | int | str:
        return self.read(self.cut(word))

    def touched(self, change: Change) -> bool:
        return self.cut(change[0]) != self.cut(change[1])


def _at(slot: int) -> bytes:
    return (slot % _WHOLE).to_bytes(32, "big")


def _hashed(data: bytes) -> int:
    return int.from_bytes(keccak256(data), "big")


@dataclass
class SlotFinder:
    """Finds the pieces of ``changes`` (slot → words) that the variables of ``roots`` reach.

    ``stored`` gives a slot's words before and after, whether it changed or not: lengths of arrays are read from it.
    ``complete`` is false once a search had more places to try than its ``budget``.
    """

    changes: Mapping[int, Change]
    keys: KnownKeys
    stored: Callable[[int], Change]
    found: dict[int, dict[tuple[str, int], Piece]] = field(default_factory=dict)
    budget: int = _HASHES
    complete: bool = True
    _hashes: int = 0

    def search(self, roots: Iterable[Root]) -> None:
        """Walk every root with the keys known now; what was found before stays."""
        self._hashes = 0
        for root in roots:
            for item in root.types.storage:
                path = f"{root.space}.{item['label']}" if root.space else str(item["label"])
                self._walk(root.types, item["type"], root.slot + int(item["slot"]), int(item["offset"]), path, 0)

    def unexplained(self) -> list[int]:
        """Slots with a changed byte that no piece covers, in order."""
        return [slot for slot, change in sorted(self.changes.items()) if not self._covered(slot, change)]

    def pieces(self, slot: int) -> list[Piece]:
        """The pieces of a slot that changed, from the low end."""
        change = self.changes[slot]
        pieces = (p for p in self.found.get(slot, {}).values() if p.touched(change))
        return sorted(pieces, key=lambda p: (p.offset, p.path))

    def _covered(self, slot: int, change: Change) -> bool:
        open_bytes = {i for i in range(32) if change[0][i] != change[1][i]}
        for piece in self.found.get(slot, {}).values():
            open_bytes -= set(range(32 - piece.offset - piece.size, 32 - piece.offset))
        return not open_bytes

    def _add(self, slot: int, piece: Piece) -> None:
        slot %= _WHOLE
        if slot in self.changes:
            self.found.setdefault(slot, {}).setdefault((piece.path, piece.offset), piece)

    # -- walking -----------------------------------------------------------------------------------------------------

    def _walk(self, types: Types, key: str, slot: int, offset: int, path: str, depth: int) -> None:
        kind = types.get(key)
        match kind["encoding"]:
            case "mapping":
                self._mapping(types, key, slot, path, depth)
            case "dynamic_array":
                self._dynamic(types, key, slot, path, depth)
            case "bytes":
                self._text(types, key, slot, path)
            case _ if "members" in kind:
                for member in kind["members"]:
                    place = slot + int(member["slot"]), int(member["offset"])
                    self._walk(types, member["type"], *place, f"{path}.{member['label']}", depth)
            case _ if "base" in kind:
                length = re.search(r"\[(\d+)\]$", types.label(key))
                self._elements(types, kind["base"], slot, int(length[1]) if length else 0, path, depth)
            case _:
                size = types.size(key)
                self._add(
                    slot, Piece(path, types.label(key), offset, size, lambda raw: read_value(types, key, raw))
                )  # fmt: skip

    def _mapping(self, types: Types, key: str, slot: int, path: str, depth: int) -> None:
        if depth >= _DEPTH:
            return
        kind = types.get(key)
        for known in self.keys.fitting(types, kind["key"]):
            self._hashes += 1
            if self._hashes > self.budget:
                self.complete = False
                return
            self._walk(types, kind["value"], _hashed(known.word + _at(slot)), 0, f"{path}[{known.shown}]", depth + 1)

    def _dynamic(self, types: Types, key: str, slot: int, path: str, depth: int) -> None:
        label = types.label(key)
        self._add(
            slot, Piece(f"{path}.length", label, 0, 32, lambda raw: whole_number(int.from_bytes(raw, "big")))
        )  # fmt: skip
        if not self._worth_looking(types, types.get(key)["base"], slot):
            return
        length = max(int.from_bytes(word, "big") for word in self.stored(slot))
        self._elements(types, types.get(key)["base"], _hashed(_at(slot)), length, path, depth)

    def _worth_looking(self, types: Types, base: str, slot: int) -> bool:
        """Whether reading the array's length can lead anywhere: else thousands of them would be read."""
        if slot % _WHOLE in self.changes or not _flat(types, base):
            return True
        start = _hashed(_at(slot))
        return any((changed - start) % _WHOLE < 2**64 for changed in self.changes)

    def _elements(self, types: Types, base: str, start: int, length: int, path: str, depth: int) -> None:
        size = types.size(base)
        for index in self._indices(types, base, start, length):
            if size >= 32 or types.get(base).get("members") or "base" in types.get(base):
                slot, offset = start + index * -(-size // 32), 0
            else:
                per_slot = 32 // size
                slot, offset = start + index // per_slot, index % per_slot * size
            self._walk(types, base, slot, offset, f"{path}[{index}]", depth)

    def _indices(self, types: Types, base: str, start: int, length: int) -> Iterator[int]:
        """The elements that can lie in a changed slot: by arithmetic where an element is all in its place."""
        if not _flat(types, base):
            yield from range(min(length, _ELEMENTS))
            return
        size = types.size(base)
        slots, per_slot = -(-size // 32), max(1, 32 // size)
        seen = set()
        for changed in self.changes:
            distance = (changed - start) % _WHOLE
            first = distance // slots * per_slot
            seen |= {i for i in range(first, first + per_slot) if i < length}
        yield from sorted(seen)

    def _text(self, types: Types, key: str, slot: int, path: str) -> None:
        label = types.label(key)
        words = self.stored(slot) if slot % _WHOLE in self.changes else None
        self._add(slot, Piece(path, label, 0, 32, lambda word: _head(label, word)))
        start = _hashed(_at(slot))
        near = [changed for changed in self.changes if (changed - start) % _WHOLE < 2**32]
        if not near:
            return
        longest = max((int.from_bytes(w, "big") - 1) // 2 if w[31] & 1 else 0 for w in words or self.stored(slot))
        for changed in near:
            index = (changed - start) % _WHOLE
            if index * 32 < longest:
                part = f"{path}[{index * 32}..{min(longest, index * 32 + 32)}]"
                self._add(changed, Piece(part, label, 0, 32, lambda word: _chunk(label, word)))


def _flat(types: Types, key: str, seen: frozenset[str] = frozenset()) -> bool:
    """Whether a value lies wholly in its own place: nothing of it behind a hash."""
    kind = types.get(key)
    if kind["encoding"] != "inplace" or key in seen:
        return False
    inner = [m["type"] for m in kind.get("members", ())] + ([kind["base"]] if "base" in kind else [])
    return all(_flat(types, each, seen | {key}) for each in inner)


def _head(label: str, word: bytes) -> str:
    if word[31] & 1:
        return f"{(int.from_bytes(word, 'big') - 1) // 2} bytes, in slots of their own"
    return read_short_text(label, word)


def _chunk(label: str, word: bytes) -> str:
    if label == "string":
        try:
            return word.rstrip(b"\0").decode()
        except UnicodeDecodeError:  # a character lies across two slots
            pass
    return "0x" + word.hex()
