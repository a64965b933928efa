"""AccessControl from the outside: its roles have no list on chain, only events (OpenZeppelin Contracts 4 and 5)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from chains.evm.address import checksum, keccak256

__all__ = ["ADMIN_ROLE", "TOPICS", "holders", "role_name"]

ADMIN_ROLE = bytes(32)
GRANTED = "0x" + keccak256(b"RoleGranted(bytes32,address,address)").hex()
REVOKED = "0x" + keccak256(b"RoleRevoked(bytes32,address,address)").hex()
TOPICS = [[GRANTED, REVOKED]]
"""The ``topics`` filter that finds every grant and revocation."""


def holders(logs: Iterable[Mapping[str, Any]]) -> dict[tuple[str, bytes], tuple[str, ...]]:
    """Who holds which role of which contract after ``logs``, which are in the chain's order."""
    held: dict[tuple[str, bytes], dict[str, None]] = {}
    for log in logs:
        topics = log["topics"]
        if len(topics) != 4 or topics[0].lower() not in {GRANTED, REVOKED}:
            continue
        key = (checksum(log["address"]), bytes.fromhex(topics[1][2:]))
        account = checksum(topics[2][-40:])
        if topics[0].lower() == GRANTED:
            held.setdefault(key, {})[account] = None
        else:
            held.setdefault(key, {}).pop(account, None)
    return {key: tuple(accounts) for key, accounts in held.items()}


def role_name(role: bytes, abi: Sequence[Mapping[str, Any]] | None) -> str:
    """A role as its contract's source calls it, where the ABI has a constant of that name."""
    if role == ADMIN_ROLE:
        return "DEFAULT_ADMIN_ROLE"
    for entry in abi or ():
        name = str(entry.get("name", ""))
        if entry.get("type") == "function" and not entry.get("inputs") and keccak256(name.encode()) == role:
            return name
    return "0x" + role.hex()
