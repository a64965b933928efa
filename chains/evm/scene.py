"""What is tried before a signature exists, and what came of it: one form, whichever way it was tried.

Three ways, in this order (``chains.evm.simulator``): ``eth_simulateV1`` (``node_simulation.py``), state overrides
(``overriding.py``), an anvil fork (``fork.py``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from chains.evm.actions import Action
from chains.evm.node import hex_bytes, quantity

__all__ = ["Outcome", "Probe", "Ran", "Scene", "SimulationUnsupported", "Way"]

Way = Literal["eth_simulateV1", "state overrides", "an anvil fork"]


class SimulationUnsupported(Exception):
    """This way of simulating cannot be had here, or would not be exact."""


@dataclass(frozen=True)
class Probe:
    """A call by anybody. ``to is None`` creates with ``data`` as init code, ``nonce`` being the sender's."""

    sender: str
    to: str | None
    data: bytes
    nonce: int = 0


@dataclass(frozen=True)
class Scene:
    """The actions in order, as ``sender`` sends them, then looks at the state they leave behind.

    ``reads`` (recipient, calldata) are made by ``sender``; ``codes`` asks whether there is code at addresses; ``probes``
    run one after another, each on what the ones before left. ``limits`` are the gas limits the actions run with, one
    each; without them there is as much as a block has. ``logs``: the events of the actions are wanted.
    """

    sender: str
    actions: tuple[Action, ...]
    reads: tuple[tuple[str, bytes], ...] = ()
    codes: tuple[str, ...] = ()
    probes: tuple[Probe, ...] = ()
    limits: tuple[int, ...] = ()
    logs: bool = False


@dataclass(frozen=True)
class Outcome:
    """One simulated call: whether it succeeded, its gas, what it returned, its revert data, its events."""

    succeeded: bool
    gas: int
    returned: bytes
    revert: bytes
    logs: Sequence[Mapping[str, Any]] = ()

    @classmethod
    def from_rpc(cls, call: Mapping[str, Any]) -> Outcome:
        returned = hex_bytes(call.get("returnData") or "0x")
        data = (call.get("error") or {}).get("data")
        revert = hex_bytes(data) if data else returned
        logs = [dict(log) for log in call.get("logs") or ()]
        return cls(quantity(call["status"]) == 1, quantity(call["gasUsed"]), returned, revert, logs)


@dataclass(frozen=True)
class Ran:
    """One outcome for everything the scene holds, and the way it was come by. Nothing is judged."""

    way: Way
    actions: tuple[Outcome, ...]
    reads: tuple[Outcome, ...] = ()
    codes: tuple[bool, ...] = ()
    probes: tuple[Outcome, ...] = ()
