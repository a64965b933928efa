"""Slots that mean the same in every contract: ERC-1967, and the ERC-7201 namespaces of OpenZeppelin Contracts 5.

A layout of the bundle names them too where the compiler saw their struct; these are for contracts written against the
slots themselves. Sources: ERC-1967; OpenZeppelin Contracts Upgradeable 5.x.
"""

from __future__ import annotations

from typing import Any

from chains.evm.address import keccak256
from chains.evm.storage_types import Types
from pipeline.review.slots import Root, erc7201_slot

__all__ = ["well_known"]

_VALUES = {"address": 20, "bool": 1, "uint64": 8, "uint256": 32, "bytes32": 32}
_TYPES: dict[str, Any] = {
    **{label: {"label": label, "numberOfBytes": str(size), "encoding": "inplace"} for label, size in _VALUES.items()},
    "holders": {
        "label": "mapping(address => bool)", "numberOfBytes": "32", "encoding": "mapping", "key": "address", "value": "bool",
    },
    "RoleData": {
        "label": "struct AccessControl.RoleData", "numberOfBytes": "64", "encoding": "inplace",
        "members": [
            {"label": "hasRole", "offset": 0, "slot": "0", "type": "holders"},
            {"label": "adminRole", "offset": 0, "slot": "1", "type": "bytes32"},
        ],
    },
    "roles": {
        "label": "mapping(bytes32 => struct AccessControl.RoleData)", "numberOfBytes": "32", "encoding": "mapping",
        "key": "bytes32", "value": "RoleData",
    },
}  # fmt: skip
_ERC1967 = {"implementation": "address", "admin": "address", "beacon": "address", "rollback": "bool"}
_OPENZEPPELIN = {
    "Initializable": (("_initialized", 0, "uint64"), ("_initializing", 8, "bool")),
    "Ownable": (("_owner", 0, "address"),),
    "Ownable2Step": (("_pendingOwner", 0, "address"),),
    "AccessControl": (("_roles", 0, "roles"),),
    "Pausable": (("_paused", 0, "bool"),),
    "ReentrancyGuard": (("_status", 0, "uint256"),),
}


def _root(slot: int, space: str, *variables: tuple[str, int, str]) -> Root:
    storage = [{"label": name, "offset": at, "slot": "0", "type": kind} for name, at, kind in variables]
    return Root(Types({"storage": storage, "types": _TYPES}), slot, space)


def well_known() -> tuple[Root, ...]:
    """The roots every contract may have."""
    proxies = tuple(
        _root(int.from_bytes(keccak256(f"eip1967.proxy.{name}".encode()), "big") - 1, "eip1967.proxy", (name, 0, kind))
        for name, kind in _ERC1967.items()
    )
    spaces = tuple(
        _root(erc7201_slot(f"openzeppelin.storage.{name}"), f"openzeppelin.storage.{name}", *variables)
        for name, variables in _OPENZEPPELIN.items()
    )
    return (*proxies, *spaces)
