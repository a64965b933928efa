"""Borsh of the types an Anchor IDL names, from and to plain JSON values. Source: https://borsh.io, Anchor's ``idl::types``.

Whole numbers are ints, bytes 0x hex, public keys base58, options ``None`` or the value, structs objects by field name, enums
``"Variant"`` or ``{"Variant": fields}``.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from solders.pubkey import Pubkey

from chains.errors import Refused

__all__ = ["BorshRefused", "Reader", "encode"]

_INTS = {f"{sign}{bits}": (bits // 8, sign == "i") for sign in "ui" for bits in (8, 16, 32, 64, 128, 256)}
_FLOATS = {"f32": "<f", "f64": "<d"}
_MAX_ITEMS = 100_000

Types = Mapping[str, Any]


class BorshRefused(Refused):
    """SHIP-Q16: a value does not fit the type the IDL gives it, or bytes are not of that type."""

    code = "SHIP-Q16"


def _wrong(kind: Any, value: Any) -> BorshRefused:
    return BorshRefused(f"{value!r} is not a {kind}", remedy="Correct the value, or the IDL.")


def _length(value: Any) -> bytes:
    return struct.pack("<I", len(value))


def encode(kind: Any, value: Any, types: Types) -> bytes:
    """Raises ``BorshRefused``."""
    if isinstance(kind, str):
        return _plain(kind, value)
    ((shape, inner),) = kind.items()
    if shape == "option":
        return b"\0" if value is None else b"\1" + encode(inner, value, types)
    if shape in {"vec", "array"}:
        if not isinstance(value, list | tuple) or (shape == "array" and len(value) != inner[1]):
            raise _wrong(kind, value)
        item = inner[0] if shape == "array" else inner
        body = b"".join(encode(item, one, types) for one in value)
        return body if shape == "array" else _length(value) + body
    if shape == "defined":
        return _defined(types, inner, value)
    raise BorshRefused(
        f"the IDL type {shape} is not supported", remedy="Send this instruction from a client of your own."
    )


def _plain(kind: str, value: Any) -> bytes:
    try:
        if kind in _INTS and isinstance(value, int) and not isinstance(value, bool):
            size, signed = _INTS[kind]
            return value.to_bytes(size, "little", signed=signed)
        if kind == "bool" and isinstance(value, bool):
            return bytes([value])
        if kind in _FLOATS and isinstance(value, int | float):
            return struct.pack(_FLOATS[kind], value)
        if kind == "string" and isinstance(value, str):
            return _length(value.encode()) + value.encode()
        if kind == "bytes" and isinstance(value, str) and value.startswith("0x"):
            return _length(bytes.fromhex(value[2:])) + bytes.fromhex(value[2:])
        if kind in {"pubkey", "publicKey"} and isinstance(value, str):
            return bytes(Pubkey.from_string(value))
    except (ValueError, OverflowError, struct.error) as error:
        raise _wrong(kind, value) from error
    raise _wrong(kind, value)


def _name(inner: Any) -> str:
    return str(inner["name"] if isinstance(inner, dict) else inner)


def _fields(entry: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Name and type; tuples have their places for names."""
    fields = entry.get("fields") or []
    named = [(f["name"], f["type"]) if isinstance(f, dict) and "name" in f else None for f in fields]
    return [pair or (str(at), fields[at]) for at, pair in enumerate(named)]


def _struct(entry: Mapping[str, Any], value: Any, types: Types) -> bytes:
    fields = _fields(entry)
    if not isinstance(value, dict) or set(value) != {name for name, _ in fields}:
        raise _wrong(f"struct of {', '.join(name for name, _ in fields) or 'nothing'}", value)
    return b"".join(encode(kind, value[name], types) for name, kind in fields)


def _entry(types: Types, inner: Any) -> Mapping[str, Any]:
    entry: Mapping[str, Any] | None = types.get(_name(inner))
    if entry is None:
        raise BorshRefused(f"the IDL names a type {_name(inner)} it does not define", remedy="Correct the IDL.")
    return entry


def _defined(types: Types, inner: Any, value: Any) -> bytes:
    entry = _entry(types, inner)
    if entry["kind"] == "struct":
        return _struct(entry, value, types)
    variants = [variant["name"] for variant in entry.get("variants", [])]
    name, body = (value, {}) if isinstance(value, str) else next(iter(value.items()), ("", {}))
    if name not in variants:
        raise _wrong(f"{_name(inner)} ({' | '.join(variants)})", value)
    place = variants.index(name)
    return bytes([place]) + _struct(entry["variants"][place], body, types)


@dataclass
class Reader:
    """Reads values one after another from ``data``."""

    data: bytes
    types: Types
    at: int = 0

    def take(self, count: int) -> bytes:
        if self.at + count > len(self.data):
            raise BorshRefused("the account's data ends before its last field", remedy="Is it this IDL's account?")
        self.at += count
        return self.data[self.at - count : self.at]

    def _count(self) -> int:
        count = int.from_bytes(self.take(4), "little")
        if count > _MAX_ITEMS:
            raise BorshRefused(f"{count} items in one field", remedy="Is it this IDL's account?")
        return count

    def read(self, kind: Any) -> Any:
        """Raises ``BorshRefused``."""
        if isinstance(kind, str):
            return self._read_plain(kind)
        ((shape, inner),) = kind.items()
        if shape == "option":
            return self.read(inner) if self._flag() else None
        if shape == "vec":
            return [self.read(inner) for _ in range(self._count())]
        if shape == "array":
            return [self.read(inner[0]) for _ in range(inner[1])]
        if shape != "defined":
            raise BorshRefused(f"the IDL type {shape} is not supported", remedy="Check this field some other way.")
        entry = _entry(self.types, inner)
        if entry["kind"] == "struct":
            return {name: self.read(field) for name, field in _fields(entry)}
        place, variants = self.take(1)[0], entry.get("variants", [])
        if place >= len(variants):
            raise BorshRefused(f"{_name(inner)} has no variant {place}", remedy="Is it this IDL's account?")
        body = {name: self.read(field) for name, field in _fields(variants[place])}
        return {variants[place]["name"]: body} if body else variants[place]["name"]

    def _flag(self) -> bool:
        byte = self.take(1)[0]
        if byte > 1:
            raise BorshRefused(f"a flag is {byte}", remedy="Is it this IDL's account?")
        return bool(byte)

    def _read_plain(self, kind: str) -> Any:
        if kind in _INTS:
            size, signed = _INTS[kind]
            return int.from_bytes(self.take(size), "little", signed=signed)
        if kind == "bool":
            return self._flag()
        if kind in _FLOATS:
            return struct.unpack(_FLOATS[kind], self.take(4 if kind == "f32" else 8))[0]
        if kind == "string":
            try:
                return self.take(self._count()).decode()
            except UnicodeDecodeError as error:
                raise BorshRefused("a string is not UTF-8", remedy="Is it this IDL's account?") from error
        if kind == "bytes":
            return "0x" + self.take(self._count()).hex()
        if kind in {"pubkey", "publicKey"}:
            return str(Pubkey.from_bytes(self.take(32)))
        raise BorshRefused(f"the IDL type {kind} is not supported", remedy="Check this field some other way.")
