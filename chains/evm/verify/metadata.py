"""The metadata solc appends to runtime code: CBOR, its length in the last two bytes.

Source: Solidity documentation, "Contract Metadata", encoding of the metadata hash in the bytecode; RFC 8949 for CBOR, of
which solc writes one map of text keys to byte strings, text and ``true``.
"""

from __future__ import annotations

from dataclasses import dataclass

from chains.evm.artifacts import strip_metadata

__all__ = ["CodeMetadata", "read_metadata"]


@dataclass(frozen=True)
class CodeMetadata:
    """``solc`` is ``0.8.37``, or the long version of a nightly build; ``hash`` of the metadata file, with its kind."""

    solc: str | None
    hash: tuple[str, bytes] | None
    experimental: bool


def read_metadata(code: bytes) -> CodeMetadata | None:
    """What the end of ``code`` tells; ``None`` where there is no metadata, or none that can be read."""
    body = strip_metadata(code)
    if len(body) == len(code):
        return None
    try:
        entries = _map(code[len(body) : -2])
    except (IndexError, ValueError):
        return None
    return CodeMetadata(_solc(entries.get("solc")), _hash(entries), entries.get("experimental") is True)


def _solc(value: bytes | str | bool | None) -> str | None:
    if isinstance(value, bytes) and len(value) == 3:
        return ".".join(map(str, value))
    return value if isinstance(value, str) else None


def _hash(entries: dict[str, bytes | str | bool]) -> tuple[str, bytes] | None:
    for kind in ("ipfs", "bzzr1", "bzzr0"):
        value = entries.get(kind)
        if isinstance(value, bytes):
            return kind, value
    return None


def _map(data: bytes) -> dict[str, bytes | str | bool]:
    """One CBOR map. Raises ``ValueError`` and ``IndexError`` for all that solc does not write."""
    if data[0] >> 5 != 5:
        raise ValueError("not a map")
    count, at = _length(data, 0)
    entries: dict[str, bytes | str | bool] = {}
    for _ in range(count):
        if data[at] >> 5 != 3:
            raise ValueError("a key is not text")
        key, at = _item(data, at)
        value, at = _item(data, at)
        entries[str(key)] = value
    if at != len(data):
        raise ValueError("bytes after the map")
    return entries


def _item(data: bytes, at: int) -> tuple[bytes | str | bool, int]:
    if data[at] in {0xF4, 0xF5}:
        return data[at] == 0xF5, at + 1
    kind = data[at] >> 5
    length, start = _length(data, at)
    raw = data[start : start + length]
    if kind not in {2, 3} or len(raw) != length:
        raise ValueError("neither bytes nor text")
    return (raw if kind == 2 else raw.decode("utf-8")), start + length


def _length(data: bytes, at: int) -> tuple[int, int]:
    """The length in an item's head, and where its content starts."""
    short = data[at] & 0x1F
    if short < 24:
        return short, at + 1
    width = {24: 1, 25: 2}.get(short)
    if width is None or at + 1 + width > len(data):
        raise ValueError("a length solc does not write")
    return int.from_bytes(data[at + 1 : at + 1 + width], "big"), at + 1 + width
