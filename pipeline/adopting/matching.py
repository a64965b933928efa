"""Which claim is which unit: by ``--as``, else by name, else by what the chain holds at the address.

A name only says where to look first. Two claims that fit equally well are told apart by their init code, or refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from chains.errors import Refused
from chains.evm.actions import Action
from chains.evm.artifacts import Artifact
from chains.evm.importing import Importer, NotProven
from chains.evm.proxy_facts import ProxyFacts, proxy_facts
from chains.evm.units import ContractUnit
from chains.evm.verify.bytecode import runtime_problem
from pipeline.adopting.claims import Claim, Claims

__all__ = ["Ambiguous", "Matcher"]


class Ambiguous(Exception):
    """Several claims fit a unit. The text names them."""


@dataclass
class Matcher:
    """``given`` is what ``--as`` says: address by unit. Asked unit by unit in the order of their references."""

    importer: Importer
    given: Mapping[str, str]
    claims: list[Claim]
    facts: dict[str, ProxyFacts] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)
    _traced: bool = False

    @classmethod
    def of(cls, importer: Importer, given: Mapping[str, str], claims: Sequence[Claims]) -> Matcher:
        merged: dict[str, Claim] = {}
        for claim in (c for one in claims for c in one.contracts):
            known = merged.get(claim.address)
            if known is None:
                merged[claim.address] = claim
                continue
            names = tuple(dict.fromkeys((*known.names, *claim.names)))
            hash_ = known.transaction or claim.transaction
            merged[claim.address] = Claim(claim.address, names, hash_, known.nested and claim.nested)
        return cls(importer, given, list(merged.values()))

    def find(self, unit: ContractUnit, units: Sequence[ContractUnit]) -> str | None:
        """The unit's address, or ``None`` when no claim fits. Raises ``Ambiguous``."""
        if unit.name in self.given:
            return self.given[unit.name]
        self._look(claim.address for claim in self.claims)
        found = self._among(self._named(unit, units), unit)
        if not found:
            found = self._among([c for c in self._open(unit) if self._fits(unit, c)], unit)
        if not found and not self._traced:
            self._trace()
            found = self._among([c for c in self._open(unit) if self._fits(unit, c)], unit)
        if len(found) > 1:
            raise Ambiguous(", ".join(c.address for c in found))
        if not found:
            return None
        self.taken.add(found[0].address)
        return found[0].address

    # -- candidates ----------------------------------------------------------------------------------------------

    def _look(self, addresses: Iterable[str]) -> None:
        new = [a for a in addresses if a not in self.facts]
        self.facts.update(zip(new, proxy_facts(self.importer.rpc, new), strict=True))

    def _open(self, unit: ContractUnit) -> list[Claim]:
        """Claims nobody has taken that are a proxy, or are none, as the unit asks."""
        wants_proxy = unit.proxy != "none"
        return [
            c for c in self.claims
            if c.address not in self.taken and (self.facts[c.address].kind != "none") == wants_proxy
        ]  # fmt: skip

    def _named(self, unit: ContractUnit, units: Sequence[ContractUnit]) -> list[Claim]:
        """By the unit's name; by the contract's where only one unit is made from it."""
        contract = unit.source.rpartition(":")[2]
        names = [unit.name]
        if sum(u.source.rpartition(":")[2] == contract for u in units) == 1:
            names.append(contract)
        for name in names:
            named = [c for c in self._open(unit) if name in c.names]
            if named:
                return named
        return []

    def _fits(self, unit: ContractUnit, claim: Claim) -> bool:
        """Whether the chain holds the unit's code there, or behind the proxy there."""
        artifact = self.importer.declared.sources(unit.source)
        place = self.facts[claim.address].implementation if unit.proxy != "none" else claim.address
        if place is None:
            return False
        try:
            init_code = self.importer.declared.constructor(unit, self.importer.live).init_code
            return runtime_problem(artifact, _creating(artifact, init_code), self.importer.code(place)) is None
        except (NotProven, Refused):
            return False

    def _among(self, claims: list[Claim], unit: ContractUnit) -> list[Claim]:
        """Several that fit: those created with exactly what ``ship.toml`` gives, if there are such."""
        if len(claims) < 2:
            return claims
        declared, live = self.importer.declared, self.importer.live
        try:
            wanted = (
                declared.initialize(unit, live) if unit.proxy != "none" else declared.constructor(unit, live).init_code
            )
        except Refused:
            return claims
        exact = []
        for claim in claims:
            creation = self.importer.creations.find(claim.address, claim.transaction)
            if creation is not None and wanted and wanted in creation.init_code:
                exact.append(claim)
        return exact or claims

    def _trace(self) -> None:
        """Add what the named transactions created inside: files leave it out."""
        self._traced = True
        known = {claim.address for claim in self.claims}
        for hash_ in self.importer.creations.hashes:
            for creation in self.importer.creations.traced(hash_):
                if creation.address not in known:
                    known.add(creation.address)
                    self.claims.append(Claim(creation.address, (), hash_, nested=True))
        self._look(claim.address for claim in self.claims)


def _creating(artifact: Artifact, init_code: bytes) -> Action:
    return Action("", "", "create", "", 0, None, 0, init_code, source=artifact.source)
