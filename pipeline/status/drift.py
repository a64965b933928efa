"""Drift: where the chain holds something else than the journal recorded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from chains.base import Row
from chains.evm.address import checksum, keccak256
from chains.evm.live import LiveUnit
from chains.evm.node import Node
from chains.evm.proxies import expected_slots
from pipeline.status.model import Drift

__all__ = ["find_drift"]


def find_drift(node: Node, live: Mapping[str, LiveUnit], rows: Sequence[Row]) -> list[Drift]:
    """Read the code of every live contract and the raw slots of every proxy in one batch. Raises ``RpcDown``."""
    recorded = {
        row.data["address"].lower(): row.data["code_keccak256"]
        for row in rows
        if row.kind == "tx.final" and row.data.get("address")
    }
    units = [unit for unit in live.values() if unit.address]
    slots = [(str(unit.address), slot) for unit in units for _, slot, _ in expected_slots(unit)]
    node.prefetch((address for unit in units for _, address in _contracts(unit)), slots)
    drift: list[Drift] = []
    for unit in units:
        drift += _code(node, unit, recorded)
        drift += _slots(node, unit)
    return drift


def _contracts(unit: LiveUnit) -> Iterable[tuple[str, str]]:
    parts = (
        ("code", unit.address),
        ("implementation code", unit.implementation),
        ("beacon code", unit.beacon),
    )
    return [(what, address) for what, address in parts if address]


def _code(node: Node, unit: LiveUnit, recorded: Mapping[str, str]) -> Iterable[Drift]:
    for what, address in _contracts(unit):
        code = node.code(address)
        known = recorded.get(address.lower())
        found = "0x" + keccak256(code).hex() if code else None
        if found is None or (known is not None and found != known):
            yield Drift(unit.name, what, address, known or "code", found)


def _slots(node: Node, unit: LiveUnit) -> Iterable[Drift]:
    for name, slot, expected in expected_slots(unit):
        assert unit.address
        found = checksum(node.slot(unit.address, slot)[-20:])
        if found != expected:
            yield Drift(unit.name, f"{name} slot", unit.address, expected, found)
