"""Actions whose authority is an OpenZeppelin TimelockController: scheduled first, executed when the delay is over.

Source: OpenZeppelin Contracts 4 and 5, ``TimelockController.sol``.
"""

from __future__ import annotations

from dataclasses import dataclass

from chains.evm.abi import AbiType, decode, encode
from chains.evm.address import keccak256
from chains.evm.node import Node
from chains.evm.proxies import encode_call
from chains.rpc import RpcFault

__all__ = ["CANCELLER", "EXECUTOR", "PROPOSER", "Operation", "Timelock", "read_timelock"]

PROPOSER, EXECUTOR, CANCELLER = (keccak256(f"{name}_ROLE".encode()) for name in ("PROPOSER", "EXECUTOR", "CANCELLER"))
_NONE = bytes(32)
_ANYONE = "0x" + "00" * 20


@dataclass(frozen=True)
class Operation:
    """One call through a timelock. ``salt`` makes the operation's id its own; ``predecessor`` is the id of the
    operation that must be done before (32 bytes each)."""

    target: str
    value_wei: int
    data: bytes
    salt: bytes
    predecessor: bytes = _NONE

    def _parts(self) -> list[str | int]:
        hexed = ["0x" + part.hex() for part in (self.data, self.predecessor, self.salt)]
        return [self.target, self.value_wei, *hexed]

    def id(self) -> bytes:
        """``hashOperation``: keccak256(abi.encode(target, value, data, predecessor, salt))."""
        types = [AbiType("", t) for t in ("address", "uint256", "bytes", "bytes32", "bytes32")]
        return keccak256(encode(types, self._parts(), str, "timelock operation"))

    def hash_operation(self) -> bytes:
        """Calldata of the read by which a timelock gives the id itself."""
        return encode_call("hashOperation", ["address", "uint256", "bytes", "bytes32", "bytes32"], self._parts())

    def schedule(self, delay_s: int) -> bytes:
        types = ["address", "uint256", "bytes", "bytes32", "bytes32", "uint256"]
        return encode_call("schedule", types, [*self._parts(), delay_s])

    def execute(self) -> bytes:
        return encode_call("execute", ["address", "uint256", "bytes", "bytes32", "bytes32"], self._parts())

    def cancel(self) -> bytes:
        """Calldata for a holder of CANCELLER_ROLE, while the operation is pending."""
        return encode_call("cancel", ["bytes32"], ["0x" + self.id().hex()])

    def is_ready(self) -> bytes:
        """Calldata of the read that says whether ``execute`` may be sent."""
        return encode_call("isOperationReady", ["bytes32"], ["0x" + self.id().hex()])


@dataclass(frozen=True)
class Timelock:
    """A timelock on chain and its minimum delay."""

    node: Node
    address: str
    delay_s: int

    def may(self, role: bytes, account: str) -> bool:
        """Whether ``account`` holds ``role``; the executor's role may be everybody's."""
        asked = [account, _ANYONE] if role == EXECUTOR else [account]
        return any(self._read("hasRole", ["bytes32", "address"], ["0x" + role.hex(), who]) for who in asked)

    def timestamp_s(self, operation: Operation) -> int:
        """When the operation may be executed: 0 unknown to the timelock, 1 done."""
        return self._read("getTimestamp", ["bytes32"], ["0x" + operation.id().hex()])

    def operation(self, target: str, data: bytes, value_wei: int, name: str) -> Operation:
        """The first operation of this payload, by a counted salt, that was not done yet."""
        for count in range(1_000):
            salt = keccak256(f"contract-ship:{name}:{count}".encode())
            operation = Operation(target, value_wei, data, salt)
            if self.timestamp_s(operation) != 1:
                return operation
        raise AssertionError(f"{name} was done a thousand times with the same payload")

    def _read(self, function: str, types: list[str], values: list[str]) -> int:
        answer = self.node.call(self.address, encode_call(function, types, list(values)))
        return int.from_bytes(answer[:32], "big")


def read_timelock(node: Node, address: str) -> Timelock | None:
    """The timelock at ``address``, or ``None`` when what lies there is none: it must hash an operation as we do."""
    probe = Operation(address, 0, b"probe", _NONE)
    try:
        (delay_s,) = decode([AbiType("", "uint256")], node.call(address, encode_call("getMinDelay", [], [])))
        hashed = node.call(address, probe.hash_operation())
    except (RpcFault, ValueError):
        return None
    return Timelock(node, address, delay_s) if hashed == probe.id() else None
