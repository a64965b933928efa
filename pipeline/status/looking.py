"""Looking at one target after the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from chains.base import Row
from chains.errors import ShipError
from chains.evm.lifecycle import fold, not_taken_back
from chains.evm.live import LiveUnit
from chains.evm.node import Node
from pipeline.manifest.project import Project, load_project
from pipeline.manifest.target import load_target
from pipeline.plan import Plan
from pipeline.session import Session, accepted_plans, open_session, unfinished_plan
from pipeline.state.local import ProjectState
from pipeline.status.comparing import Compared, compare
from pipeline.status.drift import find_drift
from pipeline.status.model import Kind, ProjectStatus, TargetStatus, Unfinished, UnitStatus, Verdict
from pipeline.ui.base import Ui

__all__ = ["look"]


def look(root: Path, only: str | None, ui: Ui) -> ProjectStatus:
    """The status of every target with a journal, or of the one called ``only``.

    What goes wrong with one target is in its status, so that the others are still looked at.
    """
    project = load_project(root)
    names = [only] if only is not None else _with_journal(ProjectState(project.root))
    return ProjectStatus(project.name, project.version, tuple(_look(project, name, ui) for name in names))


def _with_journal(state: ProjectState) -> list[str]:
    return sorted(path.parent.name for path in (state.root / "deployments").glob("*/journal.jsonl"))


def _look(project: Project, name: str, ui: Ui) -> TargetStatus:
    chain = None
    try:
        target = load_target(project, name)
        chain = {"name": target.chain.name, "id": target.chain.chain_id, "title": target.chain.title}
        purpose = f"ship status --chain {name}"
        if target.chain.kind == "solana":
            from pipeline.programs.session import open_program_session  # start-up: Solana targets alone
            from pipeline.programs.status import program_status

            with open_program_session(project, target, ui, purpose=purpose, write=False) as cluster:
                return program_status(cluster, chain)
        with open_session(project, target, ui, purpose=purpose, write=False) as session:
            return _status(session, chain)
    except ShipError as error:
        return TargetStatus(name, chain, error=error.to_json(), error_exit_code=error.exit_code)


def _status(session: Session, chain: Mapping[str, object]) -> TargetStatus:
    plans = {digest: session.plan(digest) for digest in accepted_plans(session.rows)}
    live = session.live()
    session.confirm_chain()
    node = Node(session.chain.rpc)
    drift = find_drift(node, live, session.rows)
    compared = compare(session, live, node)
    return TargetStatus(
        session.target.name,
        chain,
        units=tuple(_units(session.rows, plans, live, compared)),
        drift=tuple(drift),
        unfinished=_unfinished(session, plans),
        compared_with=compared.bundle,
        not_compared=compared.why_not,
    )


def _units(
    rows: Sequence[Row], plans: Mapping[str, Plan], live: Mapping[str, LiveUnit], compared: Compared
) -> Iterator[UnitStatus]:
    """The project's units in its order, then what is live and no longer in the project."""
    origin = _origins(rows, plans)
    for name in [*compared.verdicts, *(name for name in live if name not in compared.verdicts)]:
        unit = live.get(name, LiveUnit(name))
        verdict = compared.verdicts.get(name)
        if verdict is None:
            unknown = compared.why_not is not None and not compared.verdicts
            kind: Kind = "contract" if unit.address else "call"
            verdict = Verdict(kind, "not compared" if unknown else "not in project", "")
        elif verdict.comparison == "not compared" and verdict.kind == "contract" and unit.address is None:
            verdict = Verdict(verdict.kind, "not deployed", "")
        deployed = bool(unit.address or unit.done)
        version, record = origin.get(name, (None, None)) if deployed else (None, None)
        yield UnitStatus(
            name=name,
            kind=verdict.kind,
            comparison=verdict.comparison,
            note=verdict.note,
            address=unit.address,
            proxy=unit.proxy,
            implementation=unit.implementation,
            admin=unit.admin,
            beacon=unit.beacon,
            version=version,
            record=record,
        )


def _origins(rows: Sequence[Row], plans: Mapping[str, Plan]) -> dict[str, tuple[str, str | None]]:
    """For each unit the version of the plan that last touched it, and that plan's record."""
    records = {row.data["plan"]: row.data["record"] for row in rows if row.kind == "plan.finished"}
    origins = {}
    for row in not_taken_back(rows):
        if row.kind == "tx.final":
            plan = plans[row.data["plan"]]
            unit = next((a.unit for a in plan.body.actions if a.id == row.data["action"]), None)
            if unit is None:
                continue  # the execution of a proposal, which has a row of its own
        elif row.kind == "proposal.executed":
            plan = plans[row.data["plan"]]
            done = {a.unit for a in plan.body.actions if a.id in row.data["actions"]}
            origins.update(dict.fromkeys(done, (plan.version, records.get(plan.digest))))
            continue
        elif row.kind == "unit.adopted":
            plan, unit = plans[row.data["plan"]], row.data["unit"]
        else:
            continue
        origins[unit] = (plan.version, records.get(plan.digest))
    return origins


def _unfinished(session: Session, plans: Mapping[str, Plan]) -> Unfinished | None:
    digest = unfinished_plan(session.rows)
    if digest is None:
        return None
    plan = plans[digest]
    states = fold(session.rows, digest)
    stages = Counter(str(states[a.id].stage) if a.id in states else "planned" for a in plan.body.actions)
    resume = f"ship deploy --chain {session.target.name}"
    if plan.rollback is not None:
        resume = f"ship rollback --chain {session.target.name} --execute"
    return Unfinished(digest, plan.version, len(plan.body.actions), dict(sorted(stages.items())), resume)
