"""What the chain holds after a release: the answers of its checks, and the raw slots of its proxies."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from chains.evm.actions import PlannedCheck
from chains.evm.address import checksum
from chains.evm.live import LiveUnit
from chains.evm.node import data_or_nothing
from chains.evm.proxies import expected_slots
from chains.evm.simulate import shown
from chains.rpc import Rpc, RpcFault

__all__ = ["CheckResult", "read_checks", "read_slots"]


@dataclass(frozen=True)
class CheckResult:
    """One post-deploy read. ``found`` is decoded for people."""

    name: str
    call: str
    to: str
    found: str
    passed: bool

    def to_json(self) -> dict[str, Any]:
        return dict(self.__dict__)


def read_checks(rpc: Rpc, checks: Sequence[PlannedCheck]) -> list[CheckResult]:
    """Read every check in one batch."""
    requests: list[tuple[str, list[Any]]] = [
        ("eth_call", [{"to": c.to, "input": "0x" + c.data.hex()}, "latest"]) for c in checks
    ]
    results = []
    for check, answer in zip(checks, rpc.read_all(requests), strict=True):
        if isinstance(answer, RpcFault):
            results.append(CheckResult(check.name, check.call, check.to, f"reverted: {answer.message}", False))
            continue
        raw = data_or_nothing(answer)
        results.append(CheckResult(check.name, check.call, check.to, shown(check, raw), raw == check.expected))
    return results


def read_slots(rpc: Rpc, units: Iterable[LiveUnit]) -> list[CheckResult]:
    """Read implementation, admin and beacon slots of every proxy raw, and hold them against the record."""
    wanted = [
        (unit, name, slot, expected) for unit in units if unit.address for name, slot, expected in expected_slots(unit)
    ]
    requests: list[tuple[str, list[Any]]] = [
        ("eth_getStorageAt", [unit.address, slot, "latest"]) for unit, _, slot, _ in wanted
    ]
    results = []
    for (unit, name, _, expected), answer in zip(wanted, rpc.read_all(requests), strict=True):
        raw = data_or_nothing(answer)
        found = checksum(raw[-20:].rjust(20, b"\0"))
        results.append(CheckResult(f"{unit.name}.{name}", f"{name} slot", str(unit.address), found, found == expected))
    return results
