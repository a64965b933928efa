"""One storage value in words: the bytes of a slot that a variable takes, read by its type.

Source: Solidity documentation, "Layout of State Variables in Storage and Transient Storage".
"""

from __future__ import annotations

import re

from chains.evm.address import checksum
from chains.evm.storage_types import Types

__all__ = ["is_address", "read_value", "whole_number"]


def is_address(types: Types, key: str) -> bool:
    """Whether values of the type are addresses: also contracts, and value types that stand for either."""
    label = types.underlying(key)
    return label in {"address", "address payable"} or label.startswith(("contract ", "interface "))


def whole_number(value: int) -> int | str:
    """A number as JSON: decimal text where readers of JSON would round it."""
    return value if abs(value) <= 2**53 else str(value)


def read_value(types: Types, key: str, raw: bytes) -> bool | int | str:
    """``raw`` is as long as the type; big-endian, as it lies in the slot."""
    label = types.underlying(key)
    if is_address(types, key):
        return checksum(raw.rjust(20, b"\0")[-20:])
    number = int.from_bytes(raw, "big")
    if label == "bool":
        return bool(number) if number < 2 else f"0x{raw.hex()} (no bool)"
    members = types.enum(key)
    if members is not None:
        return members[number] if number < len(members) else f"{number} (no member)"
    if re.fullmatch(r"uint\d+", label) or label.startswith("enum "):
        return whole_number(number)
    if re.fullmatch(r"int\d+", label):
        return whole_number(int.from_bytes(raw, "big", signed=True))
    return "0x" + raw.hex()


def read_short_text(label: str, word: bytes) -> str:
    """A ``string`` or ``bytes`` of up to 31 bytes, which lies in its slot with twice its length."""
    body = word[: word[31] // 2]
    if label == "string":
        try:
            return body.decode()
        except UnicodeDecodeError:
            pass
    return "0x" + body.hex()
