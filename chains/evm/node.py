"""Typed reads of an EVM chain over JSON-RPC, each remembered so that nothing is read twice while planning."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from chains.errors import Refused
from chains.evm.address import address_bytes
from chains.rpc import Endpoint, Request, Rpc, RpcDown, RpcFault, RpcUnknown

__all__ = [
    "Head",
    "Node",
    "WrongChain",
    "account_requests",
    "block_hash",
    "check_identity",
    "data_or_nothing",
    "hex_bytes",
    "hold_genesis",
    "quantity",
]


class WrongChain(Refused):
    """SHIP-N03: the endpoint serves another chain than the target names."""

    code = "SHIP-N03"


_QUANTITY = re.compile(r"0x[0-9a-fA-F]{1,64}")
_DATA = re.compile(r"0x(?:[0-9a-fA-F]{2})*")
_HASH = re.compile(r"0x[0-9a-fA-F]{64}")


def quantity(value: Any) -> int:
    """A JSON-RPC quantity (0x hex, at most 256 bits) as an int. Raises ``ValueError`` on anything else."""
    if not isinstance(value, str) or not _QUANTITY.fullmatch(value):
        raise ValueError(f"not a quantity: {value!r:.40}")
    return int(value, 16)


def hex_bytes(value: Any) -> bytes:
    """JSON-RPC data (0x and pairs of hex digits) as bytes. Raises ``ValueError`` on anything else."""
    if not isinstance(value, str) or not _DATA.fullmatch(value):
        raise ValueError(f"not data: {value!r:.40}")
    return bytes.fromhex(value[2:])


def data_or_nothing(value: Any) -> bytes:
    """Data a node gave; nothing where it gave none."""
    try:
        return hex_bytes(value)
    except ValueError:
        return b""


def block_hash(value: Any) -> str:
    """A block's hash as the node spells it. Raises ``ValueError`` on anything that is not 32 bytes of hex."""
    if not isinstance(value, str) or not _HASH.fullmatch(value):
        raise ValueError(f"not a block hash: {value!r:.40}")
    return value.lower()


@dataclass(frozen=True)
class Head:
    """A block header as far as ``ship`` uses it; fees in wei, ``base_fee_wei`` is ``None`` before EIP-1559."""

    number: int
    hash: str
    timestamp_s: int
    base_fee_wei: int | None
    gas_limit: int

    @classmethod
    def from_rpc(cls, block: Any) -> Head:
        """From ``eth_getBlockByNumber``. Raises ``ValueError``, ``KeyError`` or ``TypeError`` on anything else."""
        if not isinstance(block, Mapping):
            raise TypeError("not a block")
        base = block.get("baseFeePerGas")
        return cls(
            quantity(block["number"]),
            block_hash(block["hash"]),
            quantity(block["timestamp"]),
            quantity(base) if base is not None else None,
            quantity(block["gasLimit"]),
        )


class Node:
    """Reads at the latest block. Answers are kept for the life of the object: make a new one for a new look."""

    def __init__(self, rpc: Rpc) -> None:
        self.rpc = rpc
        self._code: dict[str, bytes] = {}
        self._slots: dict[tuple[str, str], bytes] = {}
        self._calls: dict[tuple[str, str, bytes], bytes | RpcFault] = {}

    def prefetch(self, codes: Iterable[str] = (), slots: Iterable[tuple[str, str]] = ()) -> None:
        """Read code and storage of many addresses in one batch."""
        code_list = [a for a in dict.fromkeys(codes) if a not in self._code]
        slot_list = [s for s in dict.fromkeys(slots) if s not in self._slots]
        requests: list[tuple[str, list[Any]]] = [("eth_getCode", [a, "latest"]) for a in code_list]
        requests += [("eth_getStorageAt", [a, s, "latest"]) for a, s in slot_list]
        answers = self.rpc.read_all(requests)
        for address, answer in zip(code_list, answers, strict=False):
            self._code[address] = self._bytes(answer)
        for slot, answer in zip(slot_list, answers[len(code_list) :], strict=True):
            self._slots[slot] = self._bytes(answer).rjust(32, b"\0")

    @staticmethod
    def _bytes(answer: Any) -> bytes:
        if isinstance(answer, RpcFault):
            raise RpcDown(
                f"the node refuses to read the chain: {answer}", remedy="Check the endpoint with `ship doctor`."
            )
        try:
            return hex_bytes(answer)
        except ValueError as error:
            raise RpcDown(
                "the node's answer is not hex data", remedy="Check the endpoint with `ship doctor`."
            ) from error

    def code(self, address: str) -> bytes:
        self.prefetch(codes=[address])
        return self._code[address]

    def slot(self, address: str, slot: str) -> bytes:
        """The 32 bytes at a storage slot (0x and 64 hex digits)."""
        self.prefetch(slots=[(address, slot)])
        return self._slots[(address, slot)]

    @cached_property
    def chain_id(self) -> int:
        return quantity(self.rpc.read("eth_chainId", []))

    def call(self, to: str, data: bytes, sender: str | None = None) -> bytes:
        """``eth_call``. Raises ``RpcFault`` when it reverts."""
        key = (sender or "", to, data)
        if key not in self._calls:
            request = {"to": to, "input": "0x" + data.hex(), **({"from": sender} if sender else {})}
            self._calls[key] = self._answer(self.rpc.read_all([("eth_call", [request, "latest"])])[0])
        answer = self._calls[key]
        if isinstance(answer, RpcFault):
            raise answer
        return answer

    def _answer(self, answer: Any) -> bytes | RpcFault:
        return answer if isinstance(answer, RpcFault) else self._bytes(answer)

    def account(self, address: str, *, max_age_s: float = 0.0) -> tuple[int, int, Head]:
        """``(nonce, balance in wei, latest head)`` in one batch, or as of at most ``max_age_s`` ago."""
        nonce, balance, block = self.rpc.read_all(account_requests(address), max_age_s=max_age_s)
        try:
            return quantity(nonce), quantity(balance), Head.from_rpc(block)
        except (ValueError, KeyError, TypeError) as error:
            raise RpcDown(
                f"the node's answer about {address} is unusable", remedy="Check the endpoint with `ship doctor`."
            ) from error


def account_requests(address: str) -> list[Request]:
    """What ``Node.account`` asks."""
    address_bytes(address)
    return [
        ("eth_getTransactionCount", [address, "latest"]),
        ("eth_getBalance", [address, "latest"]),
        ("eth_getBlockByNumber", ["latest", False]),
    ]


def check_identity(
    endpoint: Endpoint, chain_id: int, genesis_hash: str | None, more: Sequence[Request] = ()
) -> tuple[str, list[Any | RpcFault]]:
    """Hold an endpoint's chain id and genesis block against what is expected; gives the genesis hash, and the answers to
    ``more``, asked in the same batch.

    Raises ``WrongChain``, or ``RpcUnknown`` when the endpoint gives no usable answer.
    """
    found, genesis, *answers = endpoint.batch([("eth_chainId", []), ("eth_getBlockByNumber", ["0x0", False]), *more])
    try:
        found_id = quantity(found)
    except ValueError as error:
        raise RpcUnknown(f"{endpoint.label} gives no chain id") from error
    if found_id != chain_id:
        raise WrongChain(
            f"{endpoint.label} serves chain {found_id}, the target names chain {chain_id}",
            remedy="Point the target's [rpc] endpoints at its own chain.",
        )
    try:
        found_hash = block_hash(genesis["hash"] if isinstance(genesis, dict) else None)
    except (ValueError, KeyError) as error:
        raise RpcUnknown(f"{endpoint.label} does not serve the genesis block") from error
    if genesis_hash is not None:
        hold_genesis(endpoint, found_hash, genesis_hash, chain_id)
    return found_hash, answers


def hold_genesis(endpoint: Endpoint, found_hash: str, genesis_hash: str, chain_id: int) -> None:
    """Raises ``WrongChain`` if they differ."""
    if found_hash != genesis_hash.lower():
        raise WrongChain(
            f"{endpoint.label} has the right chain id {chain_id} but another genesis block: {found_hash}, "
            f"expected {genesis_hash}",
            remedy="This is another chain (a fork or a reset local node). Point the target at the right one; for the "
            "embedded local chain use `ship localnet reset`.",
        )
