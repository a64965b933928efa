"""What would be possible after a plan: calls by anybody, tried on the simulated state the plan leaves behind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chains.evm.actions import Action
from chains.evm.address import create_address
from chains.evm.scene import Probe, Scene, SimulationUnsupported
from chains.evm.simulator import Simulator

__all__ = ["PROBER", "Probe", "Probed", "copied_to", "probe"]

PROBER = "0x000000000000000000000000000000005048495A"
"""Stands for anybody: an address without rights or code."""


@dataclass(frozen=True)
class Probed:
    """``data`` is what came back: returned, or the revert's."""

    succeeded: bool
    data: bytes


def copied_to(nonce: int) -> str:
    """Where a probe's creation comes to lie."""
    return create_address(PROBER, nonce)


def probe(simulator: Simulator, actions: Sequence[Action], probes: Sequence[Probe]) -> list[Probed]:
    """Run the plan's actions, then the probes in order, each on what the ones before left. Nothing is sent.

    Raises ``SimulationUnsupported`` where no way to simulate is exact, or where the plan itself no longer runs through.
    """
    ran = simulator.run(Scene(simulator.sender, tuple(actions), probes=tuple(probes)))
    if not all(outcome.succeeded for outcome in ran.actions):
        raise SimulationUnsupported("an action of the plan would fail now")
    return [Probed(one.succeeded, one.returned if one.succeeded else one.revert) for one in ran.probes]
