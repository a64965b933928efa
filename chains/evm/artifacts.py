"""A compiled contract, as the bundle keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Artifact", "ByteRange", "link", "mask", "strip_metadata"]


@dataclass(frozen=True)
class ByteRange:
    """``length`` bytes from ``start`` (both in bytes, not hex digits)."""

    start: int
    length: int

    @property
    def stop(self) -> int:
        return self.start + self.length


@dataclass(frozen=True)
class Artifact:
    """One contract of one build. Code is bytes, with zeros where library addresses and immutables go.

    ``creation_links`` and ``runtime_links`` map ``path:Library`` to the places its address is written to;
    ``immutables`` maps the compiler's id of an immutable to its places in the runtime code. ``kind`` is
    ``contract`` or ``library``. ``input_sha256`` names the standard JSON input inside the bundle.

    What the compiler's syntax trees tell besides (``chains.evm.syntax``), ``None`` where a build did not look:
    ``storage_owners`` names the contract that declares each variable of the layout, ``namespaces`` maps ERC-7201 ids to
    layouts, ``named_types`` what enums and value types stand for, ``initializers`` selectors to their ``initializer`` or
    ``reinitializer(N)`` modifier.
    """

    source: str
    kind: str
    abi: tuple[Mapping[str, Any], ...]
    creation_code: bytes
    runtime_code: bytes
    creation_links: Mapping[str, tuple[ByteRange, ...]]
    runtime_links: Mapping[str, tuple[ByteRange, ...]]
    immutables: Mapping[str, tuple[ByteRange, ...]]
    storage_layout: Mapping[str, Any] | None
    compiler: str
    settings: Mapping[str, Any]
    input_sha256: str
    storage_owners: tuple[str, ...] | None = None
    namespaces: Mapping[str, Any] | None = None
    named_types: Mapping[str, Any] | None = None
    initializers: Mapping[str, str] | None = None

    @property
    def path(self) -> str:
        return self.source.rpartition(":")[0]

    @property
    def name(self) -> str:
        return self.source.rpartition(":")[2]


def link(code: bytes, links: Mapping[str, tuple[ByteRange, ...]], addresses: Mapping[str, bytes]) -> bytes:
    """``code`` with every library address written in. Raises ``KeyError`` for a library without an address."""
    linked = bytearray(code)
    for library, places in links.items():
        address = addresses[library]
        for place in places:
            linked[place.start : place.stop] = address
    return bytes(linked)


def mask(code: bytes, immutables: Mapping[str, tuple[ByteRange, ...]]) -> bytes:
    """``code`` with zeros at every immutable, so that two instances of one contract compare equal."""
    masked = bytearray(code)
    for places in immutables.values():
        for place in places:
            masked[place.start : place.stop] = bytes(place.length)
    return bytes(masked)


def strip_metadata(code: bytes) -> bytes:
    """``code`` without the CBOR metadata solc appends (its length is the last two bytes, big-endian).

    Source: Solidity documentation, "Contract Metadata", encoding of the metadata hash in the bytecode.
    """
    if len(code) < 2:
        return code
    length = int.from_bytes(code[-2:], "big") + 2
    if length > len(code) or code[-length : -length + 1] not in {b"\xa1", b"\xa2", b"\xa3", b"\xa4"}:
        return code
    return code[:-length]
