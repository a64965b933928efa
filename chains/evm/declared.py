"""What a project declares about contracts that are on chain already: their init code and calls, references filled in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chains.evm.authority import Authorities
from chains.evm.call_units import call_digest
from chains.evm.live import LiveUnit
from chains.evm.node import Node
from chains.evm.planning import Layout, Sources
from chains.evm.proposing import Waiting
from chains.evm.simulator import Simulator
from chains.evm.units import CallUnit, ContractUnit, EvmUnits, Ref

__all__ = ["Declared", "DeclaredCall", "DeclaredCode"]


@dataclass(frozen=True)
class DeclaredCode:
    """Init code as the planner would deploy it now, how much of it is code, and its arguments for people.

    ``reads`` are the values read from the chain for it, by read, as a live unit keeps them.
    """

    init_code: bytes
    code_length: int
    args: tuple[Mapping[str, Any], ...]
    reads: Mapping[str, str]


@dataclass(frozen=True)
class DeclaredCall:
    """A call unit's payload. ``digest`` is what the journal keeps of a call that was made."""

    to: str
    data: bytes
    value_wei: int
    digest: str


@dataclass(frozen=True)
class Declared:
    """The planner's own reading of the units, so that what is adopted and what is planned cannot differ.

    Every method raises the ``Refused`` of whatever does not fit: a type, a reference to a unit that is not live.
    """

    units: EvmUnits
    sources: Sources
    node: Node
    deployer: str

    def constructor(self, unit: ContractUnit, live: Mapping[str, LiveUnit]) -> DeclaredCode:
        artifact = self.sources(unit.source)
        layout = self._layout(live)
        init_code, args = layout.init_code(unit, artifact, unit.args, f"the constructor of {unit.name}")
        reads = {reading.key: "0x" + reading.answer.hex() for reading in layout.readings.take()}
        return DeclaredCode(init_code, len(artifact.creation_code), args, reads)

    def initialize(self, unit: ContractUnit, live: Mapping[str, LiveUnit]) -> bytes:
        """Calldata of the initializer; empty without one."""
        if unit.initialize is None:
            return b""
        data, _ = self._layout(live).calldata(unit.initialize, self.sources(unit.source).abi, unit.name)
        return data

    def call(self, unit: CallUnit, live: Mapping[str, LiveUnit]) -> DeclaredCall:
        layout = self._layout(live)
        for known in live.values():
            source = known.implementation_source or known.source
            if known.address and source:
                layout.abis[known.address.lower()] = self.sources(source).abi
        to = layout.address_of(unit.to, f"[calls.{unit.name}] to")
        owner = unit.to.unit if isinstance(unit.to, Ref) and unit.to.unit else to
        data, _ = layout.calldata(unit.call, layout.abi_at(to), owner)
        return DeclaredCall(to, data, unit.call.value_wei, call_digest(to, unit.call.value_wei, data))

    def _layout(self, live: Mapping[str, LiveUnit]) -> Layout:
        nothing_waits, simulator = Waiting({}), Simulator(self.node.rpc, self.deployer)
        authorities = Authorities(self.node, self.deployer)
        return Layout(
            self.units, self.sources, self.node, self.deployer, 0, dict(live), authorities, nothing_waits, simulator
        )
