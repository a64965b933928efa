"""Which rights an account holds in a system: owner, roles, proxy admin. Found by events and reads, on chain or simulated.

Known: OpenZeppelin Contracts 4 and 5 ``Ownable``, ``Ownable2Step``, ``AccessControl``, ``AccessControlDefaultAdminRules``,
``ProxyAdmin``, ``UpgradeableBeacon``, and the ERC-1967 admin slot. A contract with rights of its own make is not seen
through; give it a check.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from chains.evm.abi import AbiType, decode
from chains.evm.address import address_bytes, checksum
from chains.evm.live import LiveUnit
from chains.evm.logs import logs
from chains.evm.node import Node, quantity
from chains.evm.proxies import ADMIN_SLOT, encode_call
from chains.evm.roles import ADMIN_ROLE, GRANTED, REVOKED, holders

__all__ = ["Place", "Read", "Right", "places_of", "rights_in", "rights_of", "role_logs"]

Kind = Literal["owner", "pending-owner", "default-admin", "role", "admin"]
Read = tuple[str, bytes]
ReadAll = Callable[[Sequence[Read]], Sequence[bytes]]
"""Answers reads, with nothing for one that reverts."""


@dataclass(frozen=True)
class Place:
    """A contract of a unit in which rights may be held. ``part`` is empty for the unit's own address."""

    unit: str
    part: str
    address: str
    admin_slot: bool = False

    def __str__(self) -> str:
        return f"{self.unit}.{self.part}" if self.part else self.unit


@dataclass(frozen=True)
class Right:
    """One right in one contract. ``heir`` is who has it promised (a pending owner), ``heir_has`` whether the heir asked
    about holds the role too, ``grantable`` whether the holder may also grant it."""

    place: Place
    kind: Kind
    role: bytes = ADMIN_ROLE
    two_step: bool = False
    heir: str | None = None
    heir_has: bool = False
    grantable: bool = False


def places_of(units: Iterable[LiveUnit]) -> list[Place]:
    """Every contract of the units that is called with rights: itself, its proxy admin, its beacon."""
    places: list[Place] = []
    for unit in units:
        if unit.address:
            places.append(Place(unit.name, "", unit.address, unit.proxy == "transparent"))
        if unit.admin:
            places.append(Place(unit.name, "admin", unit.admin))
        if unit.beacon:
            places.append(Place(unit.name, "beacon", unit.beacon))
    return places


def role_logs(account: str) -> list[Any]:
    """The ``topics`` filter for every role ever granted to or taken from ``account``."""
    return [[GRANTED, REVOKED], None, "0x" + address_bytes(account).rjust(32, b"\0").hex()]


def _address(answer: bytes) -> str | None:
    try:
        found = str(decode([AbiType("", "address")], answer)[0]) if len(answer) == 32 else None
    except ValueError:
        return None
    return found if found and int(found, 16) else None


def rights_in(
    places: Sequence[Place], account: str, heir: str | None, read_all: ReadAll, events: Iterable[Mapping[str, Any]]
) -> list[Right]:
    """The rights of ``account``, and what ``heir`` already has of them. ``events`` are those of ``role_logs``."""
    names = ("owner", "pendingOwner", "defaultAdmin", "pendingDefaultAdmin")
    reads = [(place.address, encode_call(name, [], [])) for place in places for name in names]
    answers = list(read_all(reads))
    rights: list[Right] = []
    ruled: set[str] = set()
    for number, place in enumerate(places):
        owner_raw, pending_raw, admin_raw, next_raw = answers[4 * number : 4 * number + 4]
        if len(admin_raw) == 32:
            # Its owner() is the default admin again, and the role moves by its own two steps.
            ruled.add(place.address)
            if _address(admin_raw) == account:
                rights.append(Right(place, "default-admin", two_step=True, heir=_address(next_raw[:32])))
            continue
        two_step = len(pending_raw) == 32
        if _address(owner_raw) == account:
            rights.append(Right(place, "owner", two_step=two_step, heir=_address(pending_raw)))
        elif _address(pending_raw) == account:
            rights.append(Right(place, "pending-owner"))
    return rights + _roles(places, account, heir, read_all, events, ruled)


def _roles(
    places: Sequence[Place],
    account: str,
    heir: str | None,
    read_all: ReadAll,
    events: Iterable[Mapping[str, Any]],
    ruled: set[str],
) -> list[Right]:
    by_address = {place.address: place for place in places}
    seen = [key for key in holders(events) if key[0] in by_address and not (key[1] == ADMIN_ROLE and key[0] in ruled)]
    asked = [account, heir or account]
    reads = [(address, _has_role(role, who)) for address, role in seen for who in asked]
    answers = list(read_all(reads + [(address, _role_admin(role)) for address, role in seen]))
    mine = {key for number, key in enumerate(seen) if any(answers[2 * number])}
    rights = []
    for number, (address, role) in enumerate(seen):
        if (address, role) not in mine:
            continue
        admin = answers[2 * len(seen) + number]
        grantable = (address, admin[:32]) in mine or (len(admin) == 32 and address in ruled and admin == ADMIN_ROLE)
        rights.append(
            Right(by_address[address], "role", role, heir_has=any(answers[2 * number + 1]), grantable=grantable)
        )
    return rights


def _has_role(role: bytes, account: str) -> bytes:
    return encode_call("hasRole", ["bytes32", "address"], ["0x" + role.hex(), account])


def _role_admin(role: bytes) -> bytes:
    return encode_call("getRoleAdmin", ["bytes32"], ["0x" + role.hex()])


def past_events(node: Node, places: Sequence[Place], account: str, since: Mapping[str, int]) -> list[Any]:
    """The role events of contracts that are on chain. ``since`` gives, by unit, the block it came in."""
    if not places:
        return []
    head = quantity(node.rpc.read("eth_blockNumber", []))
    first = min(since.get(place.unit, 0) for place in places)
    return logs(node.rpc, [place.address for place in places], role_logs(account), first, head)


def rights_of(
    node: Node,
    units: Iterable[LiveUnit],
    account: str,
    *,
    heir: str | None = None,
    since: Mapping[str, int] | None = None,
) -> list[Right]:
    """Every right ``account`` holds on chain now in any contract of ``units``.

    ``since`` gives, by unit, the block it was deployed in, so that events need not be searched from the beginning.
    Raises ``LogsUnavailable``, ``RpcDown``.
    """
    account, places = checksum(account), places_of(units)

    def read_all(reads: Sequence[Read]) -> list[bytes]:
        requests: list[tuple[str, list[Any]]] = [
            ("eth_call", [{"to": to, "input": "0x" + data.hex()}, "latest"]) for to, data in reads
        ]
        answers = node.rpc.read_all(requests)
        return [bytes.fromhex(a[2:]) if isinstance(a, str) else b"" for a in answers]

    rights = rights_in(places, account, heir, read_all, past_events(node, places, account, since or {}))
    for place in places:
        if place.admin_slot and checksum(node.slot(place.address, ADMIN_SLOT)[-20:]) == account:
            rights.append(Right(place, "admin"))
    return rights
