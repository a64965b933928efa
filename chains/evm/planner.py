"""From units, artifacts, recorded state and a view of the chain to ordered actions. Reads, never sends.

Every address is known before anything is sent: CREATE by nonce, CREATE2 and CREATE3 by salt (``chains.evm.placing``).
Gas and fees are filled in afterwards (``chains.evm.simulate``, ``chains.evm.fees``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chains.evm.actions import Action, PlannedCheck, PlannedUnit
from chains.evm.authority import Authorities
from chains.evm.call_units import lay_out_call
from chains.evm.calling import hand_over
from chains.evm.checks import planned_check
from chains.evm.contract_units import lay_out_contract
from chains.evm.dag import library_units, order, reach
from chains.evm.going_back import go_back, redirect
from chains.evm.handover import Heir
from chains.evm.live import LiveUnit
from chains.evm.node import Node
from chains.evm.planning import Layout, Sources
from chains.evm.proposal import Proposal
from chains.evm.proposing import Waiting, proposals_of
from chains.evm.proxies import ADMIN_SLOT, BEACON_SLOT, IMPLEMENTATION_SLOT
from chains.evm.script_units import Scripts, lay_out_script
from chains.evm.simulator import Simulator
from chains.evm.units import CallUnit, EvmUnits, ScriptUnit

__all__ = ["Draft", "lay_out"]


@dataclass(frozen=True)
class Draft:
    """Actions without gas, what happens to each unit, the checks with their expected answers, and the reads used."""

    actions: tuple[Action, ...]
    units: tuple[PlannedUnit, ...]
    checks: tuple[PlannedCheck, ...]
    reads: tuple[Mapping[str, Any], ...] = ()
    proposals: tuple[Proposal, ...] = ()
    live: Mapping[str, LiveUnit] = field(default_factory=dict)
    fresh: frozenset[str] = frozenset()
    handover: str | None = None


def lay_out(
    units: EvmUnits,
    sources: Sources,
    live: Mapping[str, LiveUnit],
    node: Node,
    *,
    deployer: str,
    nonce: int,
    scripts: Scripts | None = None,
    heir: Heir | None = None,
    simulator: Simulator | None = None,
) -> Draft:
    """Order the units and turn what differs from ``live`` into actions, starting at ``nonce``; ``heir`` comes last.

    ``simulator`` gives values that depend on earlier actions (without one, only the node's own simulation does).
    Without ``scripts`` no script is run: what would come after one is then planned as if it sent nothing.

    Raises a ``Refused`` for whatever does not fit (types, references, cycles, changed immutables) and
    ``LiveStateDrifted`` where the chain contradicts the journal.
    """
    simulator = simulator or Simulator(node.rpc, deployer)
    _prefetch(node, live)
    libraries = {u.name: tuple(library_units(u, sources(u.source), units).values()) for u in units.contracts}
    ordered = order(units, libraries)
    waiting, authorities = Waiting(reach(ordered, libraries)), Authorities(node, deployer)
    layout = Layout(units, sources, node, deployer, nonce, dict(live), authorities, waiting, simulator)
    for unit in ordered:
        layout.add_due(unit.name)
        if isinstance(unit, CallUnit):
            lay_out_call(layout, unit)
        elif isinstance(unit, ScriptUnit):
            lay_out_script(layout, unit, scripts)
        else:
            lay_out_contract(layout, unit)
    for back in units.back:
        go_back(layout, back)
    for call, effect in units.redirects:
        redirect(layout, call, effect)
    layout.add_due(None)
    if heir is not None:
        hand_over(layout, heir)
    to = layout.address_of(units.handover, "[handover] to") if units.handover is not None else None
    checks = tuple(planned_check(layout, c) for c in units.checks)
    reads = (*layout.reads, *(reading.to_json() for reading in layout.readings.log))
    actions, planned = tuple(layout.actions), tuple(layout.planned)
    proposals = proposals_of(actions, authorities)
    return Draft(actions, planned, checks, reads, proposals, layout.live, frozenset(layout.fresh), to)


def _prefetch(node: Node, live: Mapping[str, LiveUnit]) -> None:
    codes, slots = [], []
    for unit in live.values():
        codes += [a for a in (unit.address, unit.implementation, *unit.created.values()) if a]
        if unit.proxy != "none" and unit.address:
            slots += [(unit.address, s) for s in (IMPLEMENTATION_SLOT, ADMIN_SLOT, BEACON_SLOT)]
    node.prefetch(codes, slots)
