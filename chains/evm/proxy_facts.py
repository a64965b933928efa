"""What the chain says about a proxy: its ERC-1967 slots, and whether it really delegates to what they name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from chains.evm.address import checksum, keccak256
from chains.evm.proxies import ADMIN_SLOT, BEACON_SLOT, IMPLEMENTATION_SLOT, encode_call
from chains.rpc import Rpc, RpcFault, RpcUnknown

__all__ = ["ProxyFacts", "delegates", "proxy_facts"]

_MAGIC = keccak256(b"ship: does this proxy delegate?")
_ANSWER_MAGIC = "0x7f" + _MAGIC.hex() + "5f5260205ff3"
"""Returns ``_MAGIC`` whatever it is asked."""


@dataclass(frozen=True)
class ProxyFacts:
    """The slots of one address, with checksums. ``implementation`` is the beacon's where there is a beacon."""

    kind: Literal["none", "uups", "transparent", "beacon"]
    implementation: str | None
    admin: str | None
    beacon: str | None

    def to_json(self) -> dict[str, Any]:
        return dict(self.__dict__)


def proxy_facts(rpc: Rpc, addresses: Sequence[str]) -> list[ProxyFacts]:
    """The slots of many addresses in one batch, and one more for the beacons. Raises ``RpcDown``."""
    slots = (IMPLEMENTATION_SLOT, ADMIN_SLOT, BEACON_SLOT)
    answers = rpc.read_all([("eth_getStorageAt", [a, s, "latest"]) for a in addresses for s in slots])
    found = [_address(answer) for answer in answers]
    rows = [found[i : i + 3] for i in range(0, len(found), 3)]
    beacons = [row[2] for row in rows if row[2]]
    call = "0x" + encode_call("implementation", [], []).hex()
    told = rpc.read_all([("eth_call", [{"to": beacon, "input": call}, "latest"]) for beacon in beacons])
    behind = {beacon: _address(answer) for beacon, answer in zip(beacons, told, strict=True)}
    return [_facts(row, behind) for row in rows]


def _facts(row: Sequence[str | None], behind: Mapping[str, str | None]) -> ProxyFacts:
    implementation, admin, beacon = row
    if beacon:
        return ProxyFacts("beacon", behind.get(beacon), None, beacon)
    if implementation is None:
        return ProxyFacts("none", None, None, None)
    return ProxyFacts("transparent" if admin else "uups", implementation, admin, None)


def _address(answer: Any) -> str | None:
    if isinstance(answer, RpcFault) or not isinstance(answer, str):
        return None
    raw = bytes.fromhex(answer[2:]).rjust(32, b"\0")[-20:]
    return checksum(raw) if any(raw) else None


def delegates(rpc: Rpc, proxy: str, implementation: str) -> bool:
    """Whether a call of ``proxy`` reaches ``implementation``: with its code overridden, it gives our answer.

    A node without state overrides cannot say; then it counts as not delegating.
    """
    call = {"to": proxy, "input": "0x" + _MAGIC[:4].hex()}
    overrides = {implementation: {"code": _ANSWER_MAGIC}}
    answers = rpc.ask_each("eth_call", [call, "latest", overrides])
    usable = [a for a in answers if not isinstance(a, RpcFault | RpcUnknown)]
    return bool(usable) and all(a == "0x" + _MAGIC.hex() for a in usable)
