"""The first half of ``ship adopt``: match what files claim to units, and prove each. Writes nothing of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chains.errors import Refused
from chains.evm.dag import library_units, order
from chains.evm.declared import Declared
from chains.evm.importing import Importer, NotProven, Proven
from chains.evm.live import LiveUnit
from chains.evm.node import Head, Node
from chains.evm.units import CallUnit, EvmUnits, ScriptUnit
from chains.evm.verify.creation import Creations
from pipeline.adopting.claims import Claims
from pipeline.adopting.matching import Ambiguous, Matcher
from pipeline.bundle import Bundle
from pipeline.manifest.units import evm_units
from pipeline.session import Session, unfinished_plan

__all__ = ["Adoption", "CannotAdopt", "NothingToAdopt", "PlanInTheWay", "find"]


class CannotAdopt(Refused):
    """SHIP-H03: something that was named is not proven to be what the project says."""

    code = "SHIP-H03"


class NothingToAdopt(Refused):
    """SHIP-H04: no unit of the project was found among what the files name."""

    code = "SHIP-H04"


class PlanInTheWay(Refused):
    """SHIP-H06: a deployment to the target is unfinished."""

    code = "SHIP-H06"


@dataclass(frozen=True)
class Adoption:
    """What was proven, in the order of references; ``absent`` are units that nothing named, ``unused`` claims left over."""

    proven: tuple[Proven, ...]
    absent: tuple[str, ...]
    open_calls: tuple[str, ...]
    unused: tuple[str, ...]
    kept: tuple[str, ...]
    files: tuple[Mapping[str, Any], ...]


def find(
    session: Session,
    bundle: Bundle,
    deployer: str,
    claims: Sequence[Claims],
    given: Mapping[str, str],
    left_out: Sequence[str] = (),
) -> Adoption:
    """Match and prove. Raises ``CannotAdopt`` with every unit that is not proven, ``NothingToAdopt``, ``PlanInTheWay``."""
    _clear(session)
    units = evm_units(session.project, session.target)
    _known(units, [*given, *left_out])
    rpc = session.chain.rpc
    hashes = [h for f in claims for h in (*(c.transaction for c in f.contracts), *f.calls) if h]
    declared = Declared(units, bundle.artifact, Node(rpc), deployer)
    creations = Creations(rpc, list(dict.fromkeys(hashes)))
    importer = Importer(rpc, declared, dict(session.live()), creations, _final(session))
    matcher = Matcher.of(importer, given, claims)
    libraries = {u.name: tuple(library_units(u, bundle.artifact(u.source), units).values()) for u in units.contracts}
    proven: list[Proven] = []
    absent: list[str] = []
    open_calls: list[str] = []
    refused: list[str] = []
    kept = tuple(name for name, unit in importer.live.items() if unit.address)
    for unit in order(units, libraries):
        if unit.name in left_out or unit.name in kept:
            continue
        if isinstance(unit, CallUnit):
            _call(importer, unit, proven, open_calls)
            continue
        if isinstance(unit, ScriptUnit):
            absent.append(unit.name)  # what a script did can only be adopted as units of their own
            continue
        where = ""
        try:
            address = matcher.find(unit, units.contracts)
            if address is None:
                absent.append(unit.name)
                continue
            where = f" at {address}"
            proven.append(importer.contract(unit, address))
            session.ui.item(unit.name, "proven", address)
        except Ambiguous as error:
            refused.append(f"{unit.name}: several fit, {error}; choose with --as {unit.name}=ADDRESS")
        except NotProven as error:
            refused.append(f"{unit.name}{where}: {error}")
        except Refused as error:
            refused.append(f"{unit.name}{where}: {error.cause}")
    if refused:
        raise CannotAdopt(
            f"{len(refused)} of the units found cannot be adopted. " + " · ".join(refused),
            done="Nothing was written, and nothing was sent.",
            remedy="Build the sources that were deployed and write their arguments into ship.toml; or leave a unit out with "
            "--skip NAME.",
        )
    if not any(p.address for p in proven):
        raise NothingToAdopt(
            "none of the project's contracts that is not adopted yet was found among what the files name",
            done="Nothing was written, and nothing was sent.",
            remedy=f"Name addresses yourself: --as NAME=ADDRESS, with NAME one of {', '.join(absent) or 'none'}.",
        )
    unused = tuple(c.address for c in matcher.claims if c.address not in _used(importer.live) and not c.nested)
    files = tuple({"file": Path(f.file).name, "kind": f.kind} for f in claims)
    return Adoption(tuple(proven), tuple(absent), tuple(open_calls), unused, kept, files)


def _clear(session: Session) -> None:
    """Nothing else may be under way. An adoption that was killed is dropped: what it wrote is proven, and stays."""
    unfinished = unfinished_plan(session.rows)
    if unfinished is None:
        return
    if session.plan(unfinished).body.actions or session.journal is None:
        raise PlanInTheWay(
            f"plan {unfinished[:12]} of an earlier run is unfinished on {session.target.name}",
            remedy=f"`ship deploy --chain {session.target.name}` carries it on, `--replan` gives it up.",
        )
    session.journal.append("plan.abandoned", {"plan": unfinished, "reason": "an adoption that was interrupted"})


def _known(units: EvmUnits, names: Sequence[str]) -> None:
    known = [u.name for u in units.contracts] + [u.name for u in units.calls]
    for name in names:
        if name not in known:
            raise CannotAdopt(f"ship.toml has no unit {name}", remedy=f"Name one of: {', '.join(known)}.")


def _call(importer: Importer, unit: CallUnit, proven: list[Proven], open_calls: list[str]) -> None:
    """Calls with a condition of their own need no taking over: the next plan asks the chain."""
    if unit.unless is not None:
        return
    try:
        done = importer.call(unit)
    except Refused:
        done = None
    if done is None:
        open_calls.append(unit.name)
    else:
        proven.append(done)


def _final(session: Session) -> str:
    """The newest final block by the target's rule."""
    rule = session.target.finality
    if isinstance(rule, str):
        return rule
    head = Head.from_rpc(session.chain.rpc.read("eth_getBlockByNumber", ["latest", False]))
    return hex(max(0, head.number - rule + 1))


def _used(live: Mapping[str, LiveUnit]) -> set[str]:
    places = (p for u in live.values() for p in (u.address, u.implementation, u.admin, u.beacon))
    return {p for p in places if p}
