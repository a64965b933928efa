"""The shape in which a backend comes to the conformance suite."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from chains.errors import ShipError

__all__ = ["Case", "Service"]

Event = tuple[Callable[[], None], type[ShipError]]


@dataclass(frozen=True)
class Case:
    """One key. ``table`` is [signer] without the pin; ``events`` by name: how to cause it, what it must raise."""

    table: dict[str, str]
    events: dict[str, Event] = field(default_factory=dict)


@dataclass(frozen=True)
class Service:
    """What makes keys of a backend, of each kind it has."""

    evm: Callable[[], Case] | None = None
    ed25519: Callable[[], Case] | None = None
    environment: dict[str, str] = field(default_factory=dict)
