"""Documents as they lie in accounts, and back. What comes from a chain is anybody's: it is unpacked up to a cap and no further."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from chains.errors import Refused
from chains.jsontext import read_json
from chains.solana.metadata.layout import Form, Metadata, MetadataUnreadable

__all__ = ["MAX_DOCUMENT_BYTES", "MAX_PACKED_BYTES", "DocumentRefused", "Packed", "inflate", "pack", "unpack"]

MAX_DOCUMENT_BYTES = 4 * 1024 * 1024
MAX_PACKED_BYTES = 192 * 1024
"""What one transaction can still make room for, ten kilobytes an instruction."""
_WINDOWS = {1: 31, 2: 15}


class DocumentRefused(Refused):
    """SHIP-Q62: a document to be published is not a JSON object, or too large for an account."""

    code = "SHIP-Q62"


@dataclass(frozen=True)
class Packed:
    """A document's bytes as they go into an account."""

    form: Form
    data: bytes


def pack(document: bytes, what: str = "the document") -> Packed:
    """JSON in UTF-8, deflated where that is shorter. Raises ``DocumentRefused``."""
    try:
        value = read_json(document)
    except ValueError:
        value = None
    if not isinstance(value, dict) or len(document) > MAX_DOCUMENT_BYTES:
        raise DocumentRefused(
            f"{what} ({len(document)} bytes) is not a JSON object of at most {MAX_DOCUMENT_BYTES} bytes",
            remedy="Correct the file; an IDL comes from `anchor build`.",
        )
    deflated = zlib.compress(document, 9)
    packed = Packed(Form(), deflated) if len(deflated) < len(document) else Packed(Form(compression=0), document)
    if len(packed.data) > MAX_PACKED_BYTES:
        raise DocumentRefused(
            f"{what} has {len(packed.data)} bytes compressed, more than the {MAX_PACKED_BYTES} ship puts into an account",
            remedy="Publish a shorter one: an IDL's docs take most of its room.",
        )
    return packed


def unpack(metadata: Metadata, cap_bytes: int = MAX_DOCUMENT_BYTES) -> bytes | None:
    """The document, ``None`` where the account says that it lies elsewhere or is not text. Raises ``MetadataUnreadable``."""
    if metadata.form.source != 0 or metadata.form.encoding != 1:
        return None
    if metadata.form.compression == 0:
        if len(metadata.data) > cap_bytes:
            raise _too_much(cap_bytes)
        return metadata.data
    return inflate(metadata.data, cap_bytes, _WINDOWS[metadata.form.compression])


def inflate(data: bytes, cap_bytes: int = MAX_DOCUMENT_BYTES, window_bits: int = 15) -> bytes:
    """One whole stream with nothing behind it. Raises ``MetadataUnreadable``; memory stays within the cap."""
    stream = zlib.decompressobj(window_bits)
    try:
        document = stream.decompress(data, cap_bytes + 1)
    except zlib.error as error:
        raise MetadataUnreadable(f"compressed data on chain is damaged: {error}", remedy="Publish it anew.") from error
    if len(document) > cap_bytes:
        raise _too_much(cap_bytes)
    if not stream.eof or stream.unused_data:
        raise MetadataUnreadable("compressed data on chain has no end, or more behind it", remedy="Publish it anew.")
    return document


def _too_much(cap_bytes: int) -> MetadataUnreadable:
    return MetadataUnreadable(
        f"a document on chain has more than {cap_bytes} bytes once unpacked: it was not read",
        remedy="Whoever wrote it means harm, or made a mistake. Publish the program's own.",
    )
