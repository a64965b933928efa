"""The keys a mapping may have been written at: everything the plan, its events and its storage speak of.

A mapping's slot is a hash of its key. Hashes do not go back, so every known value that fits the key's type is tried.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from chains.evm.address import address_bytes, checksum, keccak256
from chains.evm.storage_types import Types
from pipeline.review.values import is_address

__all__ = ["Key", "KnownKeys"]

_SMALL = 33
"""Numbers below this are always tried: counters, enum members, bits."""


@dataclass(frozen=True)
class Key:
    """``word``: what is hashed before the slot. ``shown``: the key in a path."""

    word: bytes
    shown: str


@dataclass
class KnownKeys:
    """Grows while more is learnt. ``names`` gives the source's word for a 32-byte value, such as a role."""

    addresses: dict[str, None] = field(default_factory=lambda: {"0x" + "00" * 20: None})
    words: dict[bytes, None] = field(default_factory=dict)
    numbers: dict[int, None] = field(default_factory=lambda: dict.fromkeys(range(_SMALL)))
    texts: dict[bytes, None] = field(default_factory=dict)
    names: dict[bytes, str] = field(default_factory=dict)

    @property
    def size(self) -> int:
        return len(self.addresses) + len(self.words) + len(self.numbers) + len(self.texts)

    def add_address(self, address: str | None) -> None:
        if address:
            self.addresses[checksum(address)] = None
            self.add_number(int(address, 16))

    def add_number(self, number: int) -> None:
        self.numbers[number] = None

    def add_name(self, name: str) -> None:
        """A word of the source: roles and registry entries are hashes of such."""
        hashed = keccak256(name.encode())
        self.words[hashed] = None
        self.names[hashed] = name

    def add_word(self, word: bytes) -> None:
        """32 bytes whose type is not known: a hash, a number, or an address."""
        self.words[word] = None
        self.add_number(int.from_bytes(word, "big"))
        if word[:12] == bytes(12) and any(word[12:22]):
            self.addresses[checksum(word[12:])] = None

    def add_words(self, data: bytes) -> None:
        for at in range(0, len(data) - 31, 32):
            self.add_word(data[at : at + 32])

    def add_value(self, value: Any) -> None:
        """A decoded value: of an argument, or of a variable; as JSON has it."""
        if isinstance(value, Mapping):
            value = list(value.values())
        if isinstance(value, list | tuple):
            for item in value:
                self.add_value(item)
        elif isinstance(value, bool):
            return
        elif isinstance(value, int):
            self.add_number(value)
        elif isinstance(value, str):
            self._add_text(value)

    def _add_text(self, value: str) -> None:
        if re.fullmatch(r"0x[0-9a-fA-F]{40}", value):
            self.add_address(value)
        elif re.fullmatch(r"0x(?:[0-9a-fA-F]{2})*", value):
            raw = bytes.fromhex(value[2:])
            if len(raw) == 32:
                self.add_word(raw)
            elif raw:
                self.texts[raw] = None
                if len(raw) < 32:
                    self.words[raw.ljust(32, b"\0")] = None
        else:
            self.texts[value.encode()] = None
            if re.fullmatch(r"-?\d{1,78}", value):
                self.add_number(int(value))

    # -- what fits a mapping -----------------------------------------------------------------------------------------

    def fitting(self, types: Types, key: str) -> Iterable[Key]:
        """Every known key of the type."""
        label = types.underlying(key)
        if is_address(types, key):
            return [Key(address_bytes(a).rjust(32, b"\0"), a) for a in self.addresses]
        if types.get(key)["encoding"] == "bytes":
            return [Key(text, _text(label, text)) for text in self.texts]
        if label == "bool":
            return [Key(n.to_bytes(32, "big"), ("false", "true")[n]) for n in (0, 1)]
        if (sized := re.fullmatch(r"bytes(\d+)", label)) is not None:
            size = int(sized[1])
            return [Key(w, self.named(w, size)) for w in self.words_of(size)]
        members = types.enum(key)
        if members is not None:
            return [Key(n.to_bytes(32, "big"), member) for n, member in enumerate(members)]
        bits, signed = 8 * types.size(key), label.startswith("int")
        low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1)) if signed else (0, 2**bits)
        return [Key(n.to_bytes(32, "big", signed=signed), str(n)) for n in self.numbers if low <= n < high]

    def words_of(self, size: int) -> Iterable[bytes]:
        yield bytes(32)
        for word in self.words:
            if any(word) and not any(word[size:]):
                yield word

    def named(self, word: bytes, size: int = 32) -> str:
        return self.names[word] if size == 32 and word in self.names else "0x" + word[:size].hex()


def _text(label: str, raw: bytes) -> str:
    if label == "string":
        try:
            return '"' + raw.decode().encode("unicode_escape").decode() + '"'
        except UnicodeDecodeError:
            pass
    return "0x" + raw.hex()
