"""A Safe transaction: its EIP-712 hash, and the calldata that executes it.

Source: safe-smart-account v1.3.0 and v1.4.1, ``Safe.sol`` (``DOMAIN_SEPARATOR_TYPEHASH``, ``SAFE_TX_TYPEHASH``,
``encodeTransactionData``, ``execTransaction``). Both versions hash alike; before 1.3.0 the domain had no chain id.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from chains.evm.address import address_bytes, checksum, keccak256

__all__ = ["APPROVE_HASH", "EXEC", "ZERO", "SafeTx", "approve_hash", "decode_exec", "domain_separator", "exec_calldata"]

ZERO = "0x0000000000000000000000000000000000000000"
_DOMAIN_TYPE = keccak256(b"EIP712Domain(uint256 chainId,address verifyingContract)")
_TX_TYPE = keccak256(
    b"SafeTx(address to,uint256 value,bytes data,uint8 operation,uint256 safeTxGas,uint256 baseGas,uint256 gasPrice,"
    b"address gasToken,address refundReceiver,uint256 nonce)"
)
_EXEC_TYPES = (
    "address", "uint256", "bytes", "uint8", "uint256", "uint256", "uint256", "address", "address", "bytes",
)  # fmt: skip
EXEC = keccak256(f"execTransaction({','.join(_EXEC_TYPES)})".encode())[:4]
APPROVE_HASH = keccak256(b"approveHash(bytes32)")[:4]


@dataclass(frozen=True)
class SafeTx:
    """What a Safe is asked to do. ``operation`` is 0 for CALL, 1 for DELEGATECALL.

    The five fields about gas and refunds are zero in everything ``ship`` proposes: a Safe whose ``safeTxGas`` and
    ``gasPrice`` are zero reverts when the inner call fails, instead of using up the nonce.
    """

    to: str
    value_wei: int
    data: bytes
    operation: int
    nonce: int
    safe_tx_gas: int = 0
    base_gas: int = 0
    gas_price_wei: int = 0
    gas_token: str = ZERO
    refund_receiver: str = ZERO

    def struct_hash(self) -> bytes:
        fields: list[bytes | int | str] = [
            self.to,
            self.value_wei,
            keccak256(self.data),
            self.operation,
            *self.refund(),
            self.nonce,
        ]
        return keccak256(_words(_TX_TYPE, *fields))

    def refund(self) -> tuple[int, int, int, str, str]:
        return self.safe_tx_gas, self.base_gas, self.gas_price_wei, self.gas_token, self.refund_receiver

    def signed_data(self, domain: bytes) -> bytes:
        """What is signed, unhashed (``encodeTransactionData``): 0x1901 ‖ domain separator ‖ struct hash."""
        return b"\x19\x01" + domain + self.struct_hash()

    def hash(self, domain: bytes) -> bytes:
        """``safeTxHash``: keccak256 of what is signed."""
        return keccak256(self.signed_data(domain))

    def with_nonce(self, nonce: int) -> SafeTx:
        return replace(self, nonce=nonce)

    def to_json(self) -> dict[str, Any]:
        return {
            "to": self.to,
            "value": str(self.value_wei),
            "data": "0x" + self.data.hex(),
            "operation": self.operation,
            "safeTxGas": str(self.safe_tx_gas),
            "baseGas": str(self.base_gas),
            "gasPrice": str(self.gas_price_wei),
            "gasToken": self.gas_token,
            "refundReceiver": self.refund_receiver,
            "nonce": self.nonce,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> SafeTx:
        """Raises ``ValueError``, ``KeyError`` or ``TypeError`` on anything else."""
        return cls(
            to=checksum(data["to"]),
            value_wei=int(data["value"]),
            data=bytes.fromhex(data["data"].removeprefix("0x")),
            operation=int(data["operation"]),
            nonce=int(data["nonce"]),
            safe_tx_gas=int(data["safeTxGas"]),
            base_gas=int(data["baseGas"]),
            gas_price_wei=int(data["gasPrice"]),
            gas_token=checksum(data["gasToken"]),
            refund_receiver=checksum(data["refundReceiver"]),
        )


def domain_separator(chain_id: int, safe: str) -> bytes:
    return keccak256(_words(_DOMAIN_TYPE, chain_id, safe))


def hash_call(tx: SafeTx) -> bytes:
    """Calldata of ``getTransactionHash``: the Safe's own word on the hash."""
    types = [*_EXEC_TYPES[:-1], "uint256"]
    values = [tx.to, tx.value_wei, tx.data, tx.operation, *tx.refund(), tx.nonce]
    return keccak256(f"getTransactionHash({','.join(types)})".encode())[:4] + _encode(types, values)


def exec_calldata(tx: SafeTx, signatures: bytes) -> bytes:
    return EXEC + _encode(_EXEC_TYPES, [tx.to, tx.value_wei, tx.data, tx.operation, *tx.refund(), signatures])


def decode_exec(data: bytes, nonce: int) -> tuple[SafeTx, bytes]:
    """``(transaction, signatures)`` of ``execTransaction`` calldata, which does not hold the nonce.

    Raises ``ValueError`` on other calldata, and on calldata that is not encoded the one canonical way.
    """
    if data[:4] != EXEC:
        raise ValueError("not an execTransaction call")
    from chains.evm.abi import AbiType, decode

    v = decode([AbiType("", t) for t in _EXEC_TYPES], data[4:])
    tx = SafeTx(v[0], v[1], v[2], v[3], nonce, v[4], v[5], v[6], v[7], v[8])
    if exec_calldata(tx, v[9]) != data:
        raise ValueError("an execTransaction call that is not encoded canonically")
    return tx, v[9]


def approve_hash(safe_tx_hash: bytes) -> bytes:
    """Calldata by which an owner, also one that is a contract, approves a hash on chain."""
    assert len(safe_tx_hash) == 32
    return APPROVE_HASH + safe_tx_hash


def _words(*fields: bytes | int | str) -> bytes:
    """Static ABI words: 32 bytes, an integer, an address."""
    words = (
        f if isinstance(f, bytes) else f.to_bytes(32, "big") if isinstance(f, int) else left_padded(f) for f in fields
    )
    return b"".join(words)


def _encode(types: Sequence[str], values: Sequence[object]) -> bytes:
    # eth_abi takes a while to import, and plans without a Safe never need it.
    from eth_abi.abi import encode

    return encode(types, values)


def left_padded(address: str) -> bytes:
    return address_bytes(address).rjust(32, b"\0")
