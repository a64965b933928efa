"""The second half of ``ship adopt``: ask, and write down what was proven as if ``ship`` had put it there. Sends nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chains.canonical import digest
from chains.errors import Refused
from chains.evm.actions import EvmPlan, PlannedUnit
from chains.evm.live import LiveUnit
from chains.evm.node import Node
from chains.evm.observing import CheckResult
from pipeline import __version__
from pipeline.adopting.finding import Adoption
from pipeline.adopting.text import render
from pipeline.bundle import Bundle
from pipeline.git import current_commit
from pipeline.manifest.resolved import resolved
from pipeline.plan import Plan, live_digest, save_plan
from pipeline.record import derive_record, write_record
from pipeline.session import Session
from pipeline.steps.record import record_path

__all__ = ["Adopted", "NotAdopted", "adopt"]


class NotAdopted(Refused):
    """SHIP-H05: nobody said yes."""

    code = "SHIP-H05"


@dataclass(frozen=True)
class Adopted:
    """The record that was written."""

    record: Path
    sha256: str
    plan: str


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
