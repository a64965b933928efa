"""How a contract that is already on chain came to be: the transaction, the creator and the init code, as the chain tells.

A transaction's own creation is seen in its receipt; one through the deterministic deployment proxy follows from its
input; a creation by another contract is seen only in a trace (``debug_traceTransaction`` of geth, or
``trace_transaction`` of OpenEthereum and Erigon), which not every node serves. Where no transaction is named, the node is
asked for it (``ots_getContractCreator`` of Erigon, Otterscan and anvil).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from chains.evm.address import CREATE2_FACTORY, checksum, create2_address, create_address
from chains.evm.node import quantity
from chains.rpc import Rpc, RpcFault, RpcUnknown

__all__ = ["Creation", "Creations", "direct_creations", "traced_creations"]

_WORD = 32


@dataclass(frozen=True)
class Creation:
    """One creation. ``creator`` is the account whose CREATE or CREATE2 it was; ``way`` where that was seen."""

    address: str
    transaction: str
    creator: str
    init_code: bytes
    value_wei: int
    way: Literal["transaction", "create2", "trace"]


@dataclass
class Creations:
    """Finds how contracts came to be. ``hashes`` are transactions somebody names, of which nothing is believed: files have
    them out of order, too (forge 1.7 writes hashes beside other entries than theirs)."""

    rpc: Rpc
    hashes: Sequence[str]
    _direct: dict[str, Creation] | None = None
    _found: dict[str, Creation | None] = field(default_factory=dict)
    _traces: dict[str, list[Creation]] = field(default_factory=dict)

    def find(self, address: str, hint: str | None = None) -> Creation | None:
        """The creation of ``address``; ``hint`` is the transaction that is said to have made it.

        ``None`` when the chain does not show it: no transaction is known, or the node does not trace.
        """
        if address not in self._found:
            self._found[address] = self._find(address, hint)
        return self._found[address]

    def traced(self, hash_: str) -> list[Creation]:
        """``traced_creations``, remembered."""
        if hash_ not in self._traces:
            self._traces[hash_] = traced_creations(self.rpc, hash_)
        return self._traces[hash_]

    def _find(self, address: str, hint: str | None) -> Creation | None:
        if self._direct is None:
            self._direct = {c.address: c for c in direct_creations(self.rpc, self.hashes)}
        if address in self._direct:
            return self._direct[address]
        asked = _optional(self.rpc, "ots_getContractCreator", [address])
        told = asked.get("hash") if isinstance(asked, Mapping) else None
        if isinstance(told, str) and told not in self.hashes:
            direct = direct_creations(self.rpc, [told])
            if direct and direct[0].address == address:
                return direct[0]
        for hash_ in dict.fromkeys(h for h in (hint, told, *self.hashes) if isinstance(h, str)):
            for creation in self.traced(hash_):
                if creation.address == address:
                    return creation
        return None


def direct_creations(rpc: Rpc, hashes: Sequence[str]) -> list[Creation]:
    """What these transactions created themselves, or through the deterministic deployment proxy, if they succeeded."""
    requests: list[tuple[str, list[Any]]] = [("eth_getTransactionByHash", [h]) for h in hashes]
    requests += [("eth_getTransactionReceipt", [h]) for h in hashes]
    answers = rpc.read_all(requests)
    found = []
    for hash_, sent, receipt in zip(hashes, answers, answers[len(hashes) :], strict=False):
        if not isinstance(sent, Mapping) or not isinstance(receipt, Mapping):
            continue
        try:
            creation = _direct(sent, receipt, hash_) if quantity(receipt["status"]) == 1 else None
        except (KeyError, TypeError, ValueError):
            continue
        if creation is not None:
            found.append(creation)
    return found


def _optional(rpc: Rpc, method: str, params: list[Any]) -> Any:
    """The first answer of an endpoint that has ``method``; many have not, and waiting would not help."""
    answers = rpc.ask_each(method, params)
    return next((a for a in answers if not isinstance(a, RpcFault | RpcUnknown) and a is not None), None)


def _direct(sent: Mapping[str, Any], receipt: Mapping[str, Any], hash_: str) -> Creation | None:
    data, value_wei = bytes.fromhex(str(sent["input"])[2:]), quantity(sent["value"])
    if sent.get("to") is None:
        creator = checksum(sent["from"])
        address = create_address(creator, quantity(sent["nonce"]))
        if str(receipt.get("contractAddress", "")).lower() != address.lower():
            return None
        return Creation(address, hash_, creator, data, value_wei, "transaction")
    if str(sent["to"]).lower() == CREATE2_FACTORY.lower() and len(data) > _WORD:
        salt, init_code = data[:_WORD], data[_WORD:]
        address = create2_address(CREATE2_FACTORY, salt, init_code)
        return Creation(address, hash_, CREATE2_FACTORY, init_code, value_wei, "create2")
    return None


def traced_creations(rpc: Rpc, hash_: str) -> list[Creation]:
    """Every contract a transaction created that is still there, as a trace shows; empty where the node does not trace."""
    answer = _optional(rpc, "debug_traceTransaction", [hash_, {"tracer": "callTracer"}])
    try:
        if isinstance(answer, Mapping):
            return list(_calls(answer, hash_))
        answer = _optional(rpc, "trace_transaction", [hash_])
        return list(_flat(answer, hash_)) if isinstance(answer, list) else []
    except (KeyError, TypeError, ValueError):
        return []


def _calls(frame: Mapping[str, Any], hash_: str) -> Iterator[Creation]:
    if frame.get("error"):
        return  # whatever it created was undone
    if frame["type"] in {"CREATE", "CREATE2"} and frame.get("to"):
        init_code = bytes.fromhex(str(frame["input"])[2:])
        value_wei = quantity(frame.get("value") or "0x0")
        yield Creation(checksum(frame["to"]), hash_, checksum(frame["from"]), init_code, value_wei, "trace")
    for inner in frame.get("calls") or ():
        yield from _calls(inner, hash_)


def _flat(frames: list[Any], hash_: str) -> Iterator[Creation]:
    undone = [f["traceAddress"] for f in frames if f.get("error")]
    for frame in frames:
        place = frame["traceAddress"]
        if frame["type"] != "create" or any(place[: len(u)] == u for u in undone):
            continue
        action = frame["action"]
        init_code, value_wei = bytes.fromhex(str(action["init"])[2:]), quantity(action["value"])
        address = checksum(frame["result"]["address"])
        yield Creation(address, hash_, checksum(action["from"]), init_code, value_wei, "trace")
