"""The fields of an unsigned transaction, out of its bytes. Sources: EIP-155, EIP-1559."""

from __future__ import annotations

from dataclasses import dataclass

import rlp

__all__ = ["Undecodable", "Unsigned", "read_unsigned"]


class Undecodable(ValueError):
    """The bytes are no unsigned transaction of a kind ``ship`` makes."""


@dataclass(frozen=True)
class Unsigned:
    """The fields of an unsigned transaction. ``to`` is empty where it creates."""

    chain_id: int
    nonce: int
    gas_limit: int
    to: bytes
    value_wei: int
    data: bytes


def read_unsigned(raw: bytes) -> Unsigned:
    """The fields of what is to be signed: EIP-1559 (type 2), or legacy with a chain id. Raises ``Undecodable``."""
    try:
        if raw[:1] == b"\x02":
            chain_id, nonce, _, _, gas, to, value, data, access = rlp.decode(raw[1:])
            if access:
                raise Undecodable("an access list")
        else:
            nonce, _, gas, to, value, data, chain_id, zero, other = rlp.decode(raw)
            if zero or other:
                raise Undecodable("a legacy transaction that is signed, or has no chain id")
    except (rlp.exceptions.RLPException, ValueError, TypeError) as error:
        raise Undecodable(f"not an unsigned transaction: {error}") from error
    if len(to) not in {0, 20}:
        raise Undecodable(f"a recipient of {len(to)} bytes")
    return Unsigned(_int(chain_id), _int(nonce), _int(gas), to, _int(value), data)


def _int(raw: bytes) -> int:
    return int.from_bytes(raw, "big")
