"""What an explorer knows of a chain: code, and which transaction made a contract with what init code."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

from chains.evm.address import checksum
from chains.rpc import Endpoint, RpcFault

__all__ = ["Creation", "IndexedChain"]


@dataclass(frozen=True)
class Creation:
    """``init`` is the init code with the constructor's arguments; ``creator`` a contract where one made it."""

    transaction: str
    creator: str
    init: bytes
    block: int


class IndexedChain:
    """A node's chain, its creations read from traces as they are asked for."""

    def __init__(self, chain_id: int, url: str) -> None:
        self.id = chain_id
        self.url = url
        self._endpoint = Endpoint(url)
        self._lock = threading.Lock()
        self._creations: dict[str, Creation] = {}
        self._hashes: list[str] = []

    def code(self, address: str) -> bytes:
        return bytes.fromhex(self._call("eth_getCode", address, "latest")[2:])

    def storage(self, address: str, slot: int) -> bytes:
        return bytes.fromhex(self._call("eth_getStorageAt", address, hex(slot), "latest")[2:])

    def read(self, address: str, data: str) -> bytes:
        return bytes.fromhex(self._call("eth_call", {"to": address, "data": data}, "latest")[2:])

    def creation(self, address: str) -> Creation | None:
        """``None`` for what no transaction made: what the chain began with, or a test put there."""
        with self._lock:
            self._catch_up()
            return self._creations.get(address.lower())

    def _catch_up(self) -> None:
        # A reorganization takes blocks back: then the index is made again.
        if self._hashes and self._block_hash(len(self._hashes) - 1) != self._hashes[-1]:
            self._hashes.clear()
            self._creations.clear()
        for number in range(len(self._hashes), int(self._call("eth_blockNumber"), 16) + 1):
            self._hashes.append(self._block_hash(number) or "")
            for trace in self._call("trace_block", hex(number)) if number else ():
                made = (trace.get("result") or {}).get("address") if trace["type"] == "create" else None
                if made:
                    init = bytes.fromhex(trace["action"]["init"][2:])
                    creator = checksum(trace["action"]["from"])
                    self._creations[made.lower()] = Creation(trace["transactionHash"], creator, init, number)

    def _block_hash(self, number: int) -> str | None:
        block = self._call("eth_getBlockByNumber", hex(number), False)
        return str(block["hash"]) if block else None

    def _call(self, method: str, *params: Any) -> Any:
        answer = self._endpoint.batch([(method, list(params))])[0]
        if isinstance(answer, RpcFault):
            raise answer
        return answer
