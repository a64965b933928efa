"""The order of units: every unit after those it refers to, cycles named."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence

from chains.errors import Refused
from chains.evm.artifacts import Artifact
from chains.evm.units import CallUnit, ContractUnit, EvmUnits, ScriptUnit, references

__all__ = ["DependencyCycle", "LibraryMissing", "UnknownUnit", "library_units", "order", "reach"]


class DependencyCycle(Refused):
    """SHIP-E03: units refer to each other in a circle."""

    code = "SHIP-E03"


class UnknownUnit(Refused):
    """SHIP-E04: a reference to a unit that does not exist."""

    code = "SHIP-E04"


class LibraryMissing(Refused):
    """SHIP-E05: code links a library that is no unit."""

    code = "SHIP-E05"


def library_units(unit: ContractUnit, artifact: Artifact, units: EvmUnits) -> dict[str, str]:
    """For every library the code links and ``unit.libraries`` does not name: the unit that deploys it."""
    by_source = {u.source: u.name for u in units.contracts}
    found = {}
    for library in sorted({*artifact.creation_links, *artifact.runtime_links} - set(unit.libraries)):
        if library not in by_source:
            raise LibraryMissing(
                f"{unit.name} links the library {library}, which no unit deploys",
                remedy=f'Add `[contracts.{library.rpartition(":")[2]}]` with `source = "{library}"`, or name an address '
                f"under `libraries` of [contracts.{unit.name}].",
            )
        found[library] = by_source[library]
    return found


def _needs(unit: ContractUnit | CallUnit | ScriptUnit) -> Iterator[str]:
    yield from unit.after
    if isinstance(unit, ScriptUnit):
        return
    if isinstance(unit, CallUnit):
        values = [unit.to, *unit.call.args]
        if unit.unless:
            values += [*unit.unless.args, unit.unless.equals]
    else:
        values = [*unit.args, unit.proxy_owner, *unit.libraries.values()]
        for call in (unit.initialize, unit.upgrade):
            values += call.args if call else ()
    if unit.authority is not None:
        values.append(unit.authority)
    for value in values:
        for ref in references(value):
            yield ref.unit


def order(units: EvmUnits, libraries: Mapping[str, Sequence[str]]) -> tuple[ContractUnit | CallUnit | ScriptUnit, ...]:
    """Units in the order they are deployed: dependencies first, otherwise as written.

    ``libraries`` names, by unit, the units of the libraries it links. Raises ``DependencyCycle``, ``UnknownUnit``.
    """
    by_name: dict[str, ContractUnit | CallUnit | ScriptUnit] = {u.name: u for u in units.contracts}
    by_name |= {u.name: u for u in units.calls}
    by_name |= {u.name: u for u in units.scripts}
    done: dict[str, ContractUnit | CallUnit | ScriptUnit] = {}
    path: list[str] = []

    def visit(name: str) -> None:
        if name in done:
            return
        if name in path:
            circle = " → ".join([*path[path.index(name) :], name])
            raise DependencyCycle(
                f"units depend on each other in a circle: {circle}",
                remedy="Break it with a call unit that sets the address after both are deployed.",
            )
        path.append(name)
        for needed in (*libraries.get(name, ()), *_needs(by_name[name])):
            if needed not in by_name:
                near = difflib.get_close_matches(needed, by_name, n=1)
                raise UnknownUnit(
                    f"{name} refers to `{needed}`, which is no unit",
                    remedy=f"Did you mean `{near[0]}`?" if near else "Correct the reference in ship.toml.",
                )
            if needed != name or needed in by_name[name].after:
                visit(needed)
        path.pop()
        done[name] = by_name[name]

    for name in by_name:
        visit(name)
    return tuple(done.values())


def reach(
    ordered: Sequence[ContractUnit | CallUnit | ScriptUnit], libraries: Mapping[str, Sequence[str]]
) -> dict[str, frozenset[str]]:
    """By unit, every unit it depends on, however far. ``ordered`` as ``order`` gives it."""
    reached: dict[str, frozenset[str]] = {}
    for unit in ordered:
        direct = {*libraries.get(unit.name, ()), *_needs(unit)} - {unit.name}
        reached[unit.name] = frozenset(direct).union(*(reached[name] for name in direct))
    return reached
