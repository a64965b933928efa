"""The events document: what the plan's contracts say while it runs, and what that means for roles, owners and balances."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chains.evm.abi import AbiType, decode, jsonable
from chains.evm.address import checksum, keccak256
from pipeline.review.contracts import Codes
from pipeline.review.keys import KnownKeys
from pipeline.review.running import Log, Step

__all__ = ["events_document"]

Abi = Sequence[Mapping[str, Any]]


def _event(name: str, *inputs: tuple[str, str, bool]) -> dict[str, Any]:
    return {
        "type": "event", "name": name,
        "inputs": [{"name": n, "type": t, "indexed": i} for n, t, i in inputs],
    }  # fmt: skip


_STANDARD: Abi = (
    _event("Transfer", ("from", "address", True), ("to", "address", True), ("value", "uint256", False)),
    _event("Upgraded", ("implementation", "address", True)),
    _event("AdminChanged", ("previousAdmin", "address", False), ("newAdmin", "address", False)),
    _event("BeaconUpgraded", ("beacon", "address", True)),
    _event("OwnershipTransferred", ("previousOwner", "address", True), ("newOwner", "address", True)),
    _event("RoleGranted", ("role", "bytes32", True), ("account", "address", True), ("sender", "address", True)),
    _event("RoleRevoked", ("role", "bytes32", True), ("account", "address", True), ("sender", "address", True)),
    _event("RoleAdminChanged", ("role", "bytes32", True), ("previousAdminRole", "bytes32", True),
           ("newAdminRole", "bytes32", True)),
)  # fmt: skip
_RIGHTS = {
    "RoleGranted", "RoleRevoked", "RoleAdminChanged", "OwnershipTransferred", "OwnershipTransferStarted", "Upgraded",
    "AdminChanged", "BeaconUpgraded", "AddedOwner", "RemovedOwner", "ChangedThreshold", "EnabledModule", "DisabledModule",
}  # fmt: skip


def _indexed(entry: Mapping[str, Any]) -> int:
    return sum(bool(i.get("indexed")) for i in entry.get("inputs", ()))


@dataclass
class _Book:
    """Event descriptions by their topic. The bundle's come first."""

    known: dict[bytes, list[Mapping[str, Any]]] = field(default_factory=dict)

    def add(self, abi: Iterable[Mapping[str, Any]]) -> None:
        for entry in abi:
            if entry.get("type") == "event" and not entry.get("anonymous"):
                kinds = ",".join(AbiType.from_abi(i).type for i in entry.get("inputs", ()))
                self.known.setdefault(keccak256(f"{entry['name']}({kinds})".encode()), []).append(entry)

    def read(self, log: Log) -> tuple[str, list[dict[str, Any]]] | None:
        """``(name, arguments)``, or ``None`` where no description fits."""
        for entry in self.known.get(log.topics[0], ()) if log.topics else ():
            if _indexed(entry) == len(log.topics) - 1:
                try:
                    return str(entry["name"]), _arguments(entry, log)
                except ValueError:
                    continue
        return None


def _arguments(entry: Mapping[str, Any], log: Log) -> list[dict[str, Any]]:
    """Raises ``ValueError`` where the data does not fit. An indexed value longer than a word is there as its hash."""
    inputs = [(AbiType.from_abi(i), bool(i.get("indexed"))) for i in entry.get("inputs", ())]
    plain = iter(decode([kind for kind, indexed in inputs if not indexed], log.data))
    topics = iter(log.topics[1:])
    shown = []
    for kind, indexed in inputs:
        if not indexed:
            value = next(plain)
        elif kind.type in {"string", "bytes"} or kind.type.endswith(("]", ")")):
            value = next(topics)
        else:
            (value,) = decode([kind], next(topics))
        shown.append({"name": kind.name, "type": kind.type, "value": jsonable(value)})
    return shown


def events_document(steps: Sequence[Step], codes: Codes, names: Mapping[str, str], keys: KnownKeys) -> dict[str, Any]:
    """Events in order, changes of rights among them, and balances before and after, gas aside."""
    book = _Book()
    for artifact in codes.artifacts:
        book.add(artifact.abi)
    book.add(_STANDARD)
    events = [_shown(step.action, log, book, names) for step in steps for log in step.logs]
    return {
        "schema": 1,
        "kind": "contract-ship/review-events",
        "events": events,
        "rights": [_right(event, keys) for event in events if event["event"] in _RIGHTS],
        "balances": {"native": _native(steps, names), "tokens": _tokens(events, names)},
    }


def _shown(action: str, log: Log, book: _Book, names: Mapping[str, str]) -> dict[str, Any]:
    read = book.read(log)
    head = {"action": action, "address": log.address, "name": names.get(log.address.lower(), "")}
    if read is None:
        topics = ["0x" + topic.hex() for topic in log.topics]
        return {**head, "event": None, "arguments": [], "topics": topics, "data": "0x" + log.data.hex()}
    return {**head, "event": read[0], "arguments": read[1]}


def _right(event: Mapping[str, Any], keys: KnownKeys) -> dict[str, Any]:
    arguments = {a["name"]: a["value"] for a in event["arguments"]}
    role = arguments.get("role")
    named = {} if role is None else {"role_name": _role(bytes.fromhex(role[2:]), keys)}
    return {key: event[key] for key in ("action", "address", "name")} | {"change": event["event"], **arguments, **named}


def _role(role: bytes, keys: KnownKeys) -> str | None:
    return keys.names.get(role) if any(role) else "DEFAULT_ADMIN_ROLE"


def _native(steps: Sequence[Step], names: Mapping[str, str]) -> list[dict[str, Any]]:
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    for step in steps:
        for address, (before, after) in step.balances.items():
            first.setdefault(address, before)
            last[address] = after
    return [
        {"address": a, "name": names.get(a.lower(), ""), "before_wei": str(first[a]), "after_wei": str(last[a])}
        for a in sorted(first, key=str.lower)
        if first[a] != last[a]
    ]


def _tokens(events: Sequence[Mapping[str, Any]], names: Mapping[str, str]) -> list[dict[str, Any]]:
    """By token and holder, what Transfer events with an unindexed amount (ERC-20) add up to; mints and burns have no
    holder on their other side."""
    sums: dict[tuple[str, str], int] = {}
    for event in events:
        if event["event"] != "Transfer" or [a["type"] for a in event["arguments"]] != ["address", "address", "uint256"]:
            continue
        source, target, amount = (a["value"] for a in event["arguments"])
        for holder, sign in ((source, -1), (target, 1)):
            if int(holder, 16):
                key = event["address"], checksum(holder)
                sums[key] = sums.get(key, 0) + sign * int(amount)
    return [
        {"token": token, "token_name": names.get(token.lower(), ""), "address": holder,
         "name": names.get(holder.lower(), ""), "change": str(change)}
        for (token, holder), change in sorted(sums.items(), key=lambda item: [t.lower() for t in item[0]])
        if change
    ]  # fmt: skip
