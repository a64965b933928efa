"""``ship adopt``: match, prove, ask, and write down what is there as if ``ship`` had put it there.

Nothing is sent. Either everything that was matched is proven and taken, or nothing is written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chains.canonical import digest
from chains.errors import Refused
from chains.evm.actions import EvmPlan, PlannedUnit
from chains.evm.chain import CheckResult
from chains.evm.dag import library_units, order
from chains.evm.declared import Declared
from chains.evm.importing import Importer, NotProven, Proven
from chains.evm.live import LiveUnit
from chains.evm.node import Head, Node
from chains.evm.units import CallUnit, EvmUnits
from chains.evm.verify.creation import Creations
from pipeline import __version__
from pipeline.adopting.claims import Claims
from pipeline.adopting.matching import Ambiguous, Matcher
from pipeline.adopting.text import render
from pipeline.bundle import Bundle
from pipeline.git import current_commit
from pipeline.manifest.resolved import resolved
from pipeline.manifest.units import evm_units
from pipeline.plan import Plan, live_digest, save_plan
from pipeline.record import derive_record, write_record
from pipeline.session import Session, unfinished_plan
from pipeline.steps.record import record_path

__all__ = ["Adopted", "Adoption", "CannotAdopt", "NotAdopted", "adopt", "find"]


class CannotAdopt(Refused):
    """SHIP-U03: something that was named is not proven to be what the project says."""

    code = "SHIP-U03"


class NothingToAdopt(Refused):
    """SHIP-U04: no unit of the project was found among what the files name."""

    code = "SHIP-U04"


class NotAdopted(Refused):
    """SHIP-U05: nobody said yes."""

    code = "SHIP-U05"


class PlanInTheWay(Refused):
    """SHIP-U06: a deployment to the target is unfinished."""

    code = "SHIP-U06"


@dataclass(frozen=True)
class Adoption:
    """What was proven, in the order of references; ``absent`` are units that nothing named, ``unused`` claims left over."""

    proven: tuple[Proven, ...]
    absent: tuple[str, ...]
    open_calls: tuple[str, ...]
    unused: tuple[str, ...]
    kept: tuple[str, ...]
    files: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class Adopted:
    """The record that was written."""

    record: Path
    sha256: str
    plan: str


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


# -- taking over -----------------------------------------------------------------------------------------------------


def adopt(session: Session, bundle: Bundle, deployer: str, adoption: Adoption, *, yes: bool) -> Adopted:
    """Ask, then write plan, rows and record. Killed in between, the units whose rows are there are adopted (each was proven
    by itself), and the next run takes over the rest."""
    plan = _plan(session, bundle, deployer, adoption)
    session.ui.block(render(adoption, plan))
    approved_by = _asked(session, yes=yes)
    checks = session.chain.check_slots(_after(session, adoption).values())
    assert session.journal is not None
    save_plan(session.state.plan(plan.digest), plan)
    session.plans[plan.digest] = plan
    for kind, data in _rows(plan, adoption, approved_by, checks):
        session.journal.append(kind, data)
    record = derive_record(plan, session.bodies(), session.journal.rows)
    path = record_path(session, plan)
    sha256 = write_record(path, record)
    relative = str(path.relative_to(session.project.root))
    session.journal.append("plan.finished", {"plan": plan.digest, "record": relative, "sha256": sha256})
    return Adopted(path, sha256, plan.digest)


def _after(session: Session, adoption: Adoption) -> dict[str, LiveUnit]:
    live = dict(session.live())
    for proven in adoption.proven:
        live[proven.unit] = live.get(proven.unit, LiveUnit(proven.unit)).merge(proven.effect)
    return live


def _plan(session: Session, bundle: Bundle, deployer: str, adoption: Adoption) -> Plan:
    """A plan without transactions: what is approved is that these addresses are the project's."""
    project, target = session.project, session.target
    live, before = _after(session, adoption), session.live()
    taken = {p.unit for p in adoption.proven}
    nonce, balance_wei, head = Node(session.chain.rpc).account(deployer)
    identity = session.chain.identity
    body = EvmPlan(
        chain={"name": identity.name, "id": identity.id, "genesis_hash": session.genesis_hash},
        deployer=deployer,
        actions=(),
        units=tuple(
            PlannedUnit(name, "adopt", "it was there before, and is proven", unit.to_json())
            if name in taken
            else PlannedUnit(name, "unchanged", f"live at {unit.address}" if unit.address else "done", unit.to_json())
            for name, unit in live.items()
        ),
        checks=(),
        limits={},
        estimate={"gas": 0, "cost_wei": "0", "worst_cost_wei": "0"},
        observed={
            "block_number": head.number,
            "block_hash": head.hash,
            "nonce": nonce,
            "balance_wei": str(balance_wei),
            "reads": [],
        },
    )
    commit = current_commit(project.root)
    return Plan(
        project=project.name,
        version=project.version,
        target=target.name,
        commit=commit.id,
        dirty=commit.dirty,
        bundle=bundle.digest,
        inputs=digest(resolved(project, target)),
        state=live_digest(before),
        body=body,
    )


def _rows(
    plan: Plan, adoption: Adoption, approved_by: str, checks: Sequence[CheckResult]
) -> list[tuple[str, dict[str, Any]]]:
    accepted: dict[str, Any] = {
        "plan": plan.digest,
        "bundle": plan.bundle,
        "version": plan.version,
        "commit": plan.commit,
        "dirty": plan.dirty,
        "approved_by": approved_by,
        "gates": [],
    }
    files = [dict(f) for f in adoption.files]
    rows: list[tuple[str, dict[str, Any]]] = [("plan.accepted", accepted)]
    for proven in adoption.proven:
        evidence = {**proven.evidence, "files": files, "notes": list(proven.notes)}
        rows.append(
            (
                "unit.adopted",
                {"plan": plan.digest, "unit": proven.unit, "effect": dict(proven.effect), "evidence": evidence},
            )
        )
    seen = {"plan": plan.digest, "proofs": [], "checks": [c.to_json() for c in checks], "ship": __version__}
    rows.append(("plan.proven", seen))
    return rows


def _asked(session: Session, *, yes: bool) -> str:
    if yes:
        return "--yes"
    if session.target.chain.local:
        return "local"
    answer = session.ui.confirm(f"Take these over on {session.target.name}?")
    if not answer:
        raise NotAdopted(
            "nobody said yes to taking these over",
            done="Nothing was written, and nothing was sent.",
            remedy="Look at the list, then run again with --yes.",
        )
    return "prompt"
