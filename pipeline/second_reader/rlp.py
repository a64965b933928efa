"""RLP, read strictly: one byte string for one value, or it is refused. Source: Ethereum yellow paper, appendix B."""

from __future__ import annotations

__all__ = ["Item", "read_rlp"]

Item = bytes | list["Item"]


def read_rlp(data: bytes) -> Item:
    """The one item that ``data`` is. Raises ``ValueError`` on anything that is not its only encoding."""
    item, end = _item(data, 0, 0)
    if end != len(data):
        raise ValueError("bytes after the end")
    return item


def _item(data: bytes, at: int, depth: int) -> tuple[Item, int]:
    if depth > 8:
        raise ValueError("nested too deeply")
    if at >= len(data):
        raise ValueError("cut off")
    first = data[at]
    if first < 0x80:
        return data[at : at + 1], at + 1
    if first < 0xC0:
        body, end = _body(data, at, first, 0x80)
        if len(body) == 1 and body[0] < 0x80:
            raise ValueError("one byte written as two")
        return body, end
    body, end = _body(data, at, first, 0xC0)
    items: list[Item] = []
    inside = 0
    while inside < len(body):
        item, inside = _item(body, inside, depth + 1)
        items.append(item)
    return items, end


def _body(data: bytes, at: int, first: int, base: int) -> tuple[bytes, int]:
    """What follows the head at ``at``, and where it ends. A length of 56 and more has a length of its own."""
    short = first - base
    if short <= 55:
        start, size = at + 1, short
    else:
        start = at + 1 + short - 55
        written = data[at + 1 : start]
        size = int.from_bytes(written, "big")
        if len(written) != short - 55 or written[:1] == b"\0" or size <= 55:
            raise ValueError("a length not written the shortest way")
    if start + size > len(data):
        raise ValueError("cut off")
    return data[start : start + size], start + size
