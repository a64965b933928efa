"""How much a version has to be raised: from two bundles, and what each unit of the project stands for in them. Pure.

major   a selector, event or error removed or changed; storage that does not fit; an IDL's entry removed or changed; a
        contract gone, replaced (it has no proxy and other code, so it gets another address), or behind another proxy
minor   what is new
patch   other bytes, nothing else
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from chains.compatibility import Change, Effect
from chains.evm.abi_changes import abi_changes
from chains.evm.artifacts import Artifact
from chains.evm.layout import StorageFacts, compare_storage
from chains.solana.idl_changes import idl_changes
from pipeline.bundle import Bundle
from pipeline.versioning.numbers import Level

__all__ = ["Floor", "Reason", "UnitFacts", "compare_bundles", "contract_reasons"]

_LEVELS: Mapping[Effect, Level] = {"breaking": Level.MAJOR, "addition": Level.MINOR, "internal": Level.PATCH}
_NO_CHAIN = "constructor arguments, salts and parameters of targets: `ship plan` compares them with the chain, and says replace where one moves an address"


@dataclass(frozen=True, order=True)
class UnitFacts:
    """What a unit is: its source in the bundle (``path:Contract``), and the kind of proxy it stands behind."""

    source: str
    proxy: str = "none"


@dataclass(frozen=True)
class Reason:
    """One difference, and what it asks for. ``unit`` is a contract's or program's name in ``ship.toml``."""

    level: Level
    unit: str
    text: str

    def __str__(self) -> str:
        return f"{self.unit}: {self.text}"


@dataclass(frozen=True)
class Floor:
    """Every reason, the strongest first, and what was not compared."""

    reasons: tuple[Reason, ...]
    left_out: tuple[str, ...]

    @property
    def level(self) -> Level:
        return max((reason.level for reason in self.reasons), default=Level.NONE)


def compare_bundles(
    old: Bundle, old_units: Mapping[str, UnitFacts], new: Bundle, new_units: Mapping[str, UnitFacts]
) -> Floor:
    """Raises ``SourceUnknown`` and ``BundleDamaged``."""
    reasons: list[Reason] = []
    left_out = [_NO_CHAIN] if old_units and new_units else []
    for name in sorted({*old_units, *new_units}):
        before, after = old_units.get(name), new_units.get(name)
        if before is None:
            reasons.append(Reason(Level.MINOR, name, "a new contract"))
        elif after is None:
            reasons.append(Reason(Level.MAJOR, name, "no longer part of the project"))
        else:
            artifacts = old.artifact(before.source), new.artifact(after.source)
            reasons += contract_reasons(name, before, artifacts[0], after, artifacts[1])
            if after.proxy != "none" and any(artifact.storage_layout is None for artifact in artifacts):
                left_out.append(f"the storage layout of {name}: its compiler gives none")
    reasons += _programs(old, new, left_out)
    return Floor(tuple(sorted(reasons, key=lambda r: (-r.level, r.unit))), tuple(left_out))


def contract_reasons(name: str, before: UnitFacts, old: Artifact, after: UnitFacts, new: Artifact) -> Iterator[Reason]:
    """What became of one contract."""
    other_code = (old.creation_code, old.runtime_code) != (new.creation_code, new.runtime_code)
    if old.kind == new.kind == "library":
        # Nobody but code that was linked to its address calls a library, and that code says for itself what changed.
        if other_code:
            yield Reason(Level.PATCH, name, "the library's code changed")
        return
    yield from _changes(name, abi_changes(old.abi, new.abi))
    if before.proxy != after.proxy:
        yield Reason(Level.MAJOR, name, f"replaced: its proxy was {before.proxy}, and is {after.proxy}")
    elif after.proxy == "none":
        if other_code:
            yield Reason(Level.MAJOR, name, "replaced: it has no proxy and its code changed, so that its address moves")
        return
    facts = StorageFacts.of(old), StorageFacts.of(new)
    if facts[0] is not None and facts[1] is not None:
        for finding in compare_storage(facts[0], facts[1]):
            yield Reason(Level.MAJOR, name, f"storage of {finding}")
    if other_code:
        yield Reason(Level.PATCH, name, "its code changed")


def _changes(name: str, changes: Iterable[Change]) -> Iterator[Reason]:
    for change in changes:
        yield Reason(_LEVELS[change.effect], name, str(change))


def _programs(old: Bundle, new: Bundle, left_out: list[str]) -> Iterator[Reason]:
    for name in sorted({*old.programs, *new.programs}):
        if name not in old.programs:
            yield Reason(Level.MINOR, name, "a new program")
        elif name not in new.programs:
            yield Reason(Level.MAJOR, name, "no longer part of the project")
        else:
            idls = old.program(name, "idl.json"), new.program(name, "idl.json")
            if idls[0] is not None and idls[1] is not None:
                yield from _changes(name, idl_changes(idls[0], idls[1]))
            elif idls != (None, None):
                has = "has an IDL now" if idls[0] is None else "has no IDL any more"
                yield Reason(Level.MINOR if idls[0] is None else Level.MAJOR, name, has)
            else:
                left_out.append(f"the interface of {name}: neither bundle has its IDL")
            if old.program(name, "so") != new.program(name, "so"):
                yield Reason(Level.PATCH, name, "its bytes changed")
