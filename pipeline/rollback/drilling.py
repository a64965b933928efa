"""``ship rollback --drill``: every recorded rollback rehearsed on what is live now. Nothing is sent, nothing is written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from chains.errors import Resumable, ShipError
from chains.evm.address import checksum
from chains.evm.live import LiveUnit
from chains.evm.node import Node
from chains.evm.probing import Probe
from chains.evm.proxies import encode_call, expected_slots
from chains.evm.scene import Scene, SimulationUnsupported
from chains.evm.units import GoBack
from chains.rpc import RpcFault
from pipeline.manifest.project import Project
from pipeline.manifest.target import Target, load_target
from pipeline.rollback.drilled import Drilled, DrilledTarget, Reason, Rehearsal
from pipeline.rollback.evm import code_problem
from pipeline.rollback.family import family_of
from pipeline.rollback.history import events
from pipeline.rollback.model import Way
from pipeline.rollback.record import find_rollbacks, live_of
from pipeline.session import Session, open_session
from pipeline.signing.opening import signer_address
from pipeline.state.local import ProjectState
from pipeline.ui.base import Ui

__all__ = ["drill_project"]


def drill_project(project: Project, chain: str | None, ui: Ui) -> Drilled:
    """The target called ``chain``, or every one with a journal. What goes wrong with one is told beside the others."""
    journals = (project.root / "deployments").glob("*/journal.jsonl")
    names = [chain] if chain is not None else sorted(path.parent.name for path in journals)
    drilled = Drilled(tuple(_target(project, name, ui) for name in names))
    ui.block(drilled.text())
    return drilled


def _target(project: Project, name: str, ui: Ui) -> DrilledTarget:
    try:
        target = load_target(project, name)
        if target.chain.kind == "solana":
            return _programs(project, target, ui)
        with open_session(project, target, ui, purpose=f"ship rollback --drill --chain {name}", write=False) as session:
            session.confirm_chain()
            return DrilledTarget(name, tuple(_records(session)))
    except ShipError as error:
        return DrilledTarget(name, (), f"{error.code}: {error.cause}", untried=isinstance(error, Resumable))


def _programs(project: Project, target: Target, ui: Ui) -> DrilledTarget:
    from pipeline.programs.rollback.drilling import drill_programs  # Solana targets alone
    from pipeline.programs.session import open_program_session

    purpose = f"ship rollback --drill --chain {target.name}"
    with open_program_session(project, target, ui, purpose=purpose, write=False) as session:
        session.confirm_chain()
        return DrilledTarget(target.name, tuple(drill_programs(session)))


def _records(session: Session) -> Iterator[Rehearsal]:
    known = {event.plan.digest: event for event in events(session)}
    for path, record in find_rollbacks(ProjectState(session.project.root).target(session.target.name)):
        event = known.get(record["plan"])
        if event is not None and event.touched:  # of another release nothing is live that could be taken back
            yield _rehearsed(session, path, record, event.plan.body.deployer)


def _rehearsed(session: Session, path: Path, record: Mapping[str, Any], planned_by: str) -> Rehearsal:
    live, node = session.live(), Node(session.chain.rpc)
    shown = path.relative_to(session.project.root).as_posix()
    told = Rehearsal(record["id"], record["release"], record["returns_to"], shown, record["capability"])
    before = {name: _earlier(live[name], state) for name, state in record["before"].items() if name in live}
    moved = [name for name, unit in before.items() if _place(unit) != _place(live[name])]
    if not moved and not (record["returns_to"] is None and record["transactions"]):
        return replace(told, state="none" if record["returns_to"] is None else "there")
    reasons = [reason for name in moved for reason in _changed(session, node, live[name], before[name])]
    deployer = _deployer(session, planned_by)
    try:
        way = _way(session, record, before, live, deployer)
        reasons += _turns(session, record, way, deployer)
    except SimulationUnsupported as error:
        return replace(told, state="untried", reasons=(*reasons, Reason("untried", None, str(error))))
    reasons += [
        Reason("layout", unit.moved.name, text)
        for unit in way.units
        if unit.storage is not None
        for text in (*unit.storage["conflicts"], *([unit.storage["unknown"]] if unit.storage["unknown"] else []))
        if not any(text in known for known in record["to_accept"])
    ]
    return replace(told, state="broken" if reasons else "holds", reasons=tuple(reasons), notes=way.state_risks)


def _way(
    session: Session,
    record: Mapping[str, Any],
    before: Mapping[str, LiveUnit],
    live: Mapping[str, LiveUnit],
    deployer: str,
) -> Way:
    then = next(
        (e.plan for e in reversed(events(session)) if e.plan.tag == record["returns_to"] and e.finished is not None),
        None,
    )
    past = {**live, **before} if record["returns_to"] is not None else {}
    return family_of(session).way(session, past, live, deployer=deployer, checks=then.body.checks if then else ())


def _earlier(now: LiveUnit, state: Mapping[str, Any]) -> LiveUnit:
    return replace(live_of(now.name, state), created=now.created, reads=now.reads, done=now.done)


def _place(unit: LiveUnit) -> tuple[str | None, str | None]:
    return unit.address, unit.implementation


def _deployer(session: Session, planned_by: str) -> str:
    """The target's signer, or where none is to be had here, the one the release was planned for."""
    try:
        return signer_address(session.target, session.project.root)
    except ShipError:
        return planned_by


def _changed(session: Session, node: Node, now: LiveUnit, then: LiveUnit) -> Iterator[Reason]:
    """What is no longer on chain as the journal and the record have it."""
    for what, slot, expected in expected_slots(now):
        found = checksum(node.slot(str(now.address), slot)[-20:])
        if found != checksum(expected):
            yield Reason("slot", now.name, f"its {what} slot holds {found}, recorded was {expected}")
    if now.beacon and now.implementation:
        try:
            shown = checksum(node.call(now.beacon, encode_call("implementation", [], []))[-20:])
        except (RpcFault, ValueError):
            shown = "nothing"
        if shown != checksum(now.implementation):
            yield Reason(
                "slot", now.name, f"its beacon has the implementation {shown}, recorded was {now.implementation}"
            )
    address = then.implementation or then.address
    problem = code_problem(session, node, address) if address else None
    if problem is not None:
        yield Reason("code", now.name, problem)


def _turns(session: Session, record: Mapping[str, Any], way: Way, deployer: str) -> list[Reason]:
    """Whether those who were to make the calls when the release was planned still can."""
    recorded = {unit["unit"]: unit["requires"]["authority"] for unit in record["units"] if unit["requires"]}
    redirected = {t["unit"]: t["from"] for t in record["transactions"]}
    pairs = [(call, recorded.get(call.unit) or redirected.get(call.unit), need.authority) for call, need in way.turns]
    able = _able(session, deployer, [(who, call) for call, who, _ in pairs if who is not None])
    reasons = []
    for call, who, now in pairs:
        if who is not None and able[(who, call.unit, call.data)]:
            continue
        others = f"{now} can" if now else "and nobody that is known can"
        reasons.append(Reason("authority", call.unit, f"{who or 'nobody'} cannot `{call.title}` any more, {others}"))
    return reasons


def _able(
    session: Session, deployer: str, calls: Sequence[tuple[str, GoBack]]
) -> Mapping[tuple[str, str, bytes], bool]:
    if not calls:
        return {}
    with session.chain.simulator(deployer) as simulator:
        probes = tuple(Probe(who, call.to, call.data) for who, call in calls)
        ran = simulator.run(Scene(deployer, (), probes=probes)).probes
    return {(who, call.unit, call.data): one.succeeded for (who, call), one in zip(calls, ran, strict=True)}
