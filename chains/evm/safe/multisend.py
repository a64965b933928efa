"""Several calls in one Safe transaction: a DELEGATECALL to MultiSendCallOnly.

A delegated call runs with the Safe's own storage, so that only code pinned here by its hash is ever delegated to.
Source: safe-smart-account, ``MultiSendCallOnly.sol``; addresses: safe-deployments.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chains.errors import Refused
from chains.evm.abi import AbiType, decode
from chains.evm.address import address_bytes, checksum, keccak256
from chains.evm.node import Node
from chains.evm.proxies import encode_call

__all__ = ["InnerCall", "NoMultiSend", "find_multisend", "multisend_calldata", "unpack"]

_SELECTOR = keccak256(b"multiSend(bytes)")[:4]
MULTISEND_CALL_ONLY = {
    "0x9641d764fc13c8B624c04430C7356C1C7C8102e2": "ecd5bd14a08c5d2122379900b2f272bdf107a7e92423c10dd5fe3254386c9939",
    "0x40A2aCCbd92BCA938b02010E17A5b8929b49130D": "a9865ac2d9c7a1591619b188c4d88167b50df6cc0c5327fcbd1c8c75f7c066ad",
    "0xA1dabEF33b3B82c7814B6D82A79e50F4AC44102B": "a9865ac2d9c7a1591619b188c4d88167b50df6cc0c5327fcbd1c8c75f7c066ad",
}
"""Where MultiSendCallOnly 1.4.1 and 1.3.0 (canonical, and deployed with replay protection) lie, and keccak256 of its code."""


class NoMultiSend(Refused):
    """SHIP-E31: no MultiSendCallOnly that is known to be the right code is on this chain."""

    code = "SHIP-E31"


@dataclass(frozen=True)
class InnerCall:
    """One call of a batch."""

    to: str
    value_wei: int
    data: bytes

    def packed(self) -> bytes:
        size = len(self.data).to_bytes(32, "big")
        return b"\0" + address_bytes(self.to) + self.value_wei.to_bytes(32, "big") + size + self.data


def multisend_calldata(calls: Sequence[InnerCall]) -> bytes:
    return encode_call("multiSend", ["bytes"], ["0x" + b"".join(call.packed() for call in calls).hex()])


def unpack(data: bytes) -> list[InnerCall]:
    """The calls in ``multiSend`` calldata. Raises ``ValueError`` on anything else, and on a delegated inner call."""
    if data[:4] != _SELECTOR:
        raise ValueError("not a multiSend call")
    packed = decode([AbiType("", "bytes")], data[4:])[0]
    calls, at = [], 0
    while at < len(packed):
        size = int.from_bytes(packed[at + 53 : at + 85], "big")
        if packed[at] != 0 or at + 85 + size > len(packed):
            raise ValueError("a batch with an operation other than CALL, or cut short")
        value = int.from_bytes(packed[at + 21 : at + 53], "big")
        calls.append(InnerCall(checksum(packed[at + 1 : at + 21]), value, packed[at + 85 : at + 85 + size]))
        at += 85 + size
    if multisend_calldata(calls) != data:
        raise ValueError("a batch that is not encoded canonically")
    return calls


def find_multisend(node: Node) -> str:
    """The MultiSendCallOnly of this chain. Raises ``NoMultiSend``."""
    node.prefetch(codes=MULTISEND_CALL_ONLY)
    for address, code_hash in MULTISEND_CALL_ONLY.items():
        if keccak256(node.code(address)).hex() == code_hash:
            return address
    raise NoMultiSend(
        "several calls are to go through one Safe, and this chain has no MultiSendCallOnly at a canonical address",
        remedy="Deploy Safe's contracts to the chain (safe-smart-account), or release the changes one at a time.",
    )
