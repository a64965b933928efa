"""Actions whose authority is an OpenZeppelin TimelockController: scheduled first, executed when the delay is over."""

from __future__ import annotations

from dataclasses import dataclass

from chains.evm.abi import AbiType, encode
from chains.evm.address import keccak256
from chains.evm.proxies import encode_call

__all__ = ["Operation"]

_ZERO = "0x" + "00" * 32


@dataclass(frozen=True)
class Operation:
    """One call through a timelock. ``salt`` makes the operation's id its own (32 bytes)."""

    target: str
    value_wei: int
    data: bytes
    salt: bytes

    def _parts(self) -> list[str | int]:
        return [self.target, self.value_wei, "0x" + self.data.hex(), _ZERO, "0x" + self.salt.hex()]

    def id(self) -> bytes:
        """``hashOperation``: keccak256(abi.encode(target, value, data, predecessor, salt))."""
        types = [AbiType("", t) for t in ("address", "uint256", "bytes", "bytes32", "bytes32")]
        return keccak256(encode(types, self._parts(), str, "timelock operation"))

    def schedule(self, delay_s: int) -> bytes:
        types = ["address", "uint256", "bytes", "bytes32", "bytes32", "uint256"]
        return encode_call("schedule", types, [*self._parts(), delay_s])

    def execute(self) -> bytes:
        return encode_call("execute", ["address", "uint256", "bytes", "bytes32", "bytes32"], self._parts())

    def is_ready(self) -> bytes:
        """Calldata of the read that says whether ``execute`` may be sent."""
        return encode_call("isOperationReady", ["bytes32"], ["0x" + self.id().hex()])
