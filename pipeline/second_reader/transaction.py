"""The fields of an unsigned transaction, from the bytes whose hash is signed (EIP-1559, or legacy with EIP-155)."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.second_reader.rlp import Item, read_rlp

__all__ = ["Unsigned", "read_unsigned"]


@dataclass(frozen=True)
class Unsigned:
    """``to`` is lower-case 0x hex, ``None`` for a creation."""

    chain_id: int
    nonce: int
    gas_limit: int
    to: str | None
    value_wei: int
    data: bytes


def read_unsigned(payload: bytes) -> Unsigned:
    """Raises ``ValueError`` on any other bytes."""
    if payload[:1] == b"\x02":
        fields = read_rlp(payload[1:])
        if not isinstance(fields, list) or len(fields) != 9 or fields[8] != []:
            raise ValueError("not a plain EIP-1559 transaction")
        chain, nonce, gas, to, value, data = fields[0], fields[1], fields[4], fields[5], fields[6], fields[7]
        for price in fields[2:4]:
            _number(price)
    else:
        fields = read_rlp(payload)
        if not isinstance(fields, list) or len(fields) != 9 or fields[7:] != [b"", b""]:
            raise ValueError("not a legacy transaction with a chain id")
        nonce, gas, to, value, data, chain = fields[0], fields[2], fields[3], fields[4], fields[5], fields[6]
        _number(fields[1])
    if not isinstance(to, bytes) or len(to) not in {0, 20} or not isinstance(data, bytes):
        raise ValueError("a recipient that is no address")
    recipient = "0x" + to.hex() if to else None
    return Unsigned(_number(chain), _number(nonce), _number(gas), recipient, _number(value), data)


def _number(item: Item) -> int:
    if not isinstance(item, bytes) or item[:1] == b"\0" or len(item) > 32:
        raise ValueError("a number not written the shortest way")
    return int.from_bytes(item, "big")
