"""Proxies: where they keep their implementation, and how each kind is deployed and upgraded.

Slots: ERC-1967. Upgrade functions: OpenZeppelin Contracts 4 and 5 (ProxyAdmin, UUPSUpgradeable, UpgradeableBeacon).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chains.errors import Refused
from chains.evm.abi import AbiType, Function, constructor_types, encode, selector
from chains.evm.live import LiveUnit
from chains.evm.units import Ref, Value

__all__ = [
    "ADMIN_SLOT",
    "BEACON_SLOT",
    "IMPLEMENTATION_SLOT",
    "PROXY_CONTRACTS",
    "ProxyUnsupported",
    "encode_call",
    "expected_slots",
    "has_function",
    "owns_admin",
    "upgrade_payload",
]

IMPLEMENTATION_SLOT = "0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc"
ADMIN_SLOT = "0xb53127684a568b3173ae13b9f8a6016e243e63b6e8ee1178d6a717850b5d6103"
BEACON_SLOT = "0xa3f0ad74e5423aebfd80d3ef4346578335a9a72aeaee59ff6cb3582b35133d50"


def expected_slots(unit: LiveUnit) -> list[tuple[str, str, str]]:
    """``(name, slot, address)`` of what a live proxy's raw slots must hold; empty for a plain contract."""
    slots = []
    if unit.proxy in {"uups", "transparent"} and unit.implementation:
        slots.append(("implementation", IMPLEMENTATION_SLOT, unit.implementation))
    if unit.proxy == "transparent" and unit.admin:
        slots.append(("admin", ADMIN_SLOT, unit.admin))
    if unit.proxy == "beacon" and unit.beacon:
        slots.append(("beacon", BEACON_SLOT, unit.beacon))
    return slots


PROXY_CONTRACTS = {
    "uups": ("ERC1967Proxy",),
    "transparent": ("TransparentUpgradeableProxy",),
    "beacon": ("UpgradeableBeacon", "BeaconProxy"),
}
"""The contracts, by name, that a kind of proxy takes from the project's own build."""


class ProxyUnsupported(Refused):
    """SHIP-E02: a proxy contract or an implementation that does not work the way its kind asks."""

    code = "SHIP-E02"


def _no_references(ref: Ref) -> str:
    raise AssertionError(f"{ref} must be resolved before")


def encode_call(function: str, types: Sequence[str], values: Sequence[Value]) -> bytes:
    """Calldata of a function ``ship`` itself calls."""
    inputs = tuple(AbiType.from_text(t) for t in types)
    return selector(Function(function, inputs)) + encode(inputs, values, _no_references, function)


def owns_admin(abi: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a transparent proxy creates its own ProxyAdmin (OpenZeppelin 5: ``initialOwner`` in the constructor)."""
    inputs, _ = constructor_types(abi)
    return len(inputs) == 3 and inputs[1].name == "initialOwner"


def has_function(code: bytes, function: str, types: Sequence[str]) -> bool:
    """Whether runtime code answers to a function, judged by its dispatcher (PUSH4 and the selector). A guess: simulate it."""
    return b"\x63" + selector(Function(function, tuple(AbiType.from_text(t) for t in types))) in code


def _has(abi: Sequence[Mapping[str, Any]], name: str, inputs: Sequence[str]) -> bool:
    for entry in abi:
        if entry.get("type") != "function" or entry.get("name") != name:
            continue
        if [AbiType.from_abi(i).type for i in entry.get("inputs", ())] == list(inputs):
            return True
    return False


def upgrade_payload(
    kind: str,
    *,
    proxy: str,
    admin_or_beacon: str | None,
    implementation: str,
    call: bytes,
    abi: Sequence[Mapping[str, Any]],
) -> tuple[str, bytes]:
    """``(recipient, calldata)`` that moves ``proxy`` (or its beacon) to ``implementation``.

    ``call`` is delegated to the new implementation in the same transaction; a beacon cannot do that, its ``call`` is a
    transaction of its own. ``abi`` is that of the new implementation.
    """
    data = "0x" + call.hex()
    if kind == "beacon":
        assert admin_or_beacon
        return admin_or_beacon, encode_call("upgradeTo", ["address"], [implementation])
    if kind == "transparent":
        assert admin_or_beacon
        return admin_or_beacon, encode_call(
            "upgradeAndCall", ["address", "address", "bytes"], [proxy, implementation, data]
        )
    if not call and _has(abi, "upgradeTo", ["address"]):
        return proxy, encode_call("upgradeTo", ["address"], [implementation])
    if not _has(abi, "upgradeToAndCall", ["address", "bytes"]):
        raise ProxyUnsupported(
            "the new implementation has no `upgradeToAndCall(address,bytes)`: once in place it could never be upgraded again",
            remedy="Inherit UUPSUpgradeable, or set `proxy` to another kind.",
        )
    return proxy, encode_call("upgradeToAndCall", ["address", "bytes"], [implementation, data])
