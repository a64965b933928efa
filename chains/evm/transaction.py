"""Transactions as bytes: EIP-1559 (type 2) and legacy with replay protection (EIP-155)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chains.evm.address import address_bytes, checksum, keccak256

__all__ = ["Fees", "SignedTransaction", "UnsignedTransaction", "decode_signed", "decode_unsigned"]


@dataclass(frozen=True)
class Fees:
    """Per-gas prices in wei. A legacy chain has ``priority_wei is None``; ``max_wei`` is then the gas price."""

    max_wei: int
    priority_wei: int | None

    def to_json(self) -> dict[str, int | None]:
        return {"max_fee_per_gas_wei": self.max_wei, "max_priority_fee_per_gas_wei": self.priority_wei}

    @classmethod
    def from_json(cls, data: Any) -> Fees:
        return cls(data["max_fee_per_gas_wei"], data["max_priority_fee_per_gas_wei"])


@dataclass(frozen=True)
class UnsignedTransaction:
    """What is to be signed. ``to is None`` creates a contract; ``data`` is init code or calldata."""

    chain_id: int
    nonce: int
    to: str | None
    value_wei: int
    data: bytes
    gas_limit: int
    fees: Fees

    def _fields(self) -> list[Any]:
        to = address_bytes(self.to) if self.to else b""
        if self.fees.priority_wei is None:
            return [self.nonce, self.fees.max_wei, self.gas_limit, to, self.value_wei, self.data]
        return [
            self.chain_id,
            self.nonce,
            self.fees.priority_wei,
            self.fees.max_wei,
            self.gas_limit,
            to,
            self.value_wei,
            self.data,
            [],
        ]

    def payload(self) -> bytes:
        """The bytes whose keccak-256 is signed (EIP-1559: ``0x02 ‖ rlp``; EIP-155 for legacy)."""
        if self.fees.priority_wei is None:
            return _rlp([*self._fields(), self.chain_id, 0, 0])
        return b"\x02" + _rlp(self._fields())

    def signing_hash(self) -> bytes:
        return keccak256(self.payload())

    def with_signature(self, r: int, s: int, y_parity: int) -> SignedTransaction:
        """The signed transaction; ``y_parity`` is 0 or 1."""
        if self.fees.priority_wei is None:
            raw = _rlp([*self._fields(), self.chain_id * 2 + 35 + y_parity, r, s])
        else:
            raw = b"\x02" + _rlp([*self._fields(), y_parity, r, s])
        return SignedTransaction(raw, "0x" + keccak256(raw).hex())


@dataclass(frozen=True)
class SignedTransaction:
    """Raw bytes as a node takes them, and their hash (0x hex)."""

    raw: bytes
    hash: str


def _rlp(fields: list[Any]) -> bytes:
    import rlp  # slow to load, and not needed by those who only want to know what fees are

    return bytes(rlp.encode(fields))


def decode_signed(raw: bytes) -> tuple[UnsignedTransaction, tuple[int, int, int]]:
    """``(transaction, (r, s, y parity))`` of raw bytes. Raises ``ValueError`` on anything but types 0 and 2."""
    import rlp

    number = int.from_bytes
    try:
        if raw[:1] == b"\x02":
            f = rlp.decode(raw[1:])
            if len(f) != 12 or f[8]:
                raise ValueError("not a plain EIP-1559 transaction")
            fees = Fees(number(f[3], "big"), number(f[2], "big"))
            chain_id, nonce, gas, to, value, data = f[0], f[1], f[4], f[5], f[6], f[7]
            signature = (number(f[10], "big"), number(f[11], "big"), number(f[9], "big"))
            chain = number(chain_id, "big")
        else:
            f = rlp.decode(raw)
            if len(f) != 9:
                raise ValueError("not a legacy transaction")
            nonce, gas, to, value, data = f[0], f[2], f[3], f[4], f[5]
            fees = Fees(number(f[1], "big"), None)
            v = number(f[6], "big")
            if v < 37:
                raise ValueError("a legacy transaction without a chain id (EIP-155)")
            chain = (v - 35) // 2
            signature = (number(f[7], "big"), number(f[8], "big"), (v - 35) % 2)
    except (rlp.exceptions.RLPException, TypeError) as error:
        raise ValueError(f"not a signed transaction: {error}") from error
    address = checksum(to) if to else None
    unsigned = UnsignedTransaction(
        chain, number(nonce, "big"), address, number(value, "big"), data, number(gas, "big"), fees
    )
    return unsigned, signature


def decode_unsigned(payload: bytes) -> UnsignedTransaction:
    """What ``UnsignedTransaction.payload`` encoded. Raises ``ValueError`` on anything that it would not encode so."""
    import rlp

    number = int.from_bytes
    try:
        typed = payload[:1] == b"\x02"
        f = rlp.decode(payload[1:] if typed else payload)
        if len(f) != 9 or not all(isinstance(item, bytes) for item in (f[:8] if typed else f)):
            raise ValueError("not an unsigned transaction of type 0 or 2")
        if typed:
            chain, nonce, gas, to, value, data = f[0], f[1], f[4], f[5], f[6], f[7]
            fees = Fees(number(f[3], "big"), number(f[2], "big"))
        else:
            chain, nonce, gas, to, value, data = f[6], f[0], f[2], f[3], f[4], f[5]
            fees = Fees(number(f[1], "big"), None)
    except (rlp.exceptions.RLPException, TypeError) as error:
        raise ValueError(f"not an unsigned transaction: {error}") from error
    unsigned = UnsignedTransaction(
        number(chain, "big"),
        number(nonce, "big"),
        checksum(to) if to else None,
        number(value, "big"),
        data,
        number(gas, "big"),
        fees,
    )
    if len(to) not in {0, 20} or unsigned.payload() != payload:
        raise ValueError("not the one encoding of an unsigned transaction")
    return unsigned
