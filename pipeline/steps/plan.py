"""Planning: what differs between the project and the chain, as transactions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from chains.canonical import digest
from chains.errors import Refused
from chains.evm.units import EvmUnits
from pipeline.approvals.required import refuse_expired
from pipeline.bundle import Bundle
from pipeline.git import current_commit
from pipeline.manifest.project import Project
from pipeline.manifest.resolved import resolved
from pipeline.manifest.target import Target
from pipeline.manifest.units import evm_units
from pipeline.options import Candidate
from pipeline.plan import Plan, live_digest, load_plan, refuse_stale
from pipeline.same_address import address_warnings
from pipeline.scripts import scripts_of
from pipeline.session import Session
from pipeline.steps.preflight import Ready

__all__ = ["AlreadyRecorded", "Planning", "make_plan"]


class AlreadyRecorded(Refused):
    """SHIP-P03: this version is recorded on this target with other contracts."""

    code = "SHIP-P03"


def make_plan(session: Session, bundle: Bundle, deployer: str) -> Plan:
    """Plan the project's units against the target as it is now. Reads only."""
    project, target = session.project, session.target
    units = _units(project, target)
    live = session.live()
    body = session.chain.plan(
        units,
        bundle.artifact,
        live,
        deployer=deployer,
        genesis_hash=session.genesis_hash,
        scripts=scripts_of(session, bundle, deployer),
        since=session.births(),
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
        state=live_digest(live),
        body=body,
        warnings=address_warnings(project, target, deployer),
    )


def _units(project: Project, target: Target) -> EvmUnits:
    return evm_units(project, target)


@dataclass(frozen=True)
class Planning:
    """Makes the plan, or holds a saved one against it. ``saved`` is the file of ``--plan``."""

    session: Session
    bundle: Bundle
    ready: Ready
    saved: Path | None = None
    candidate: Candidate | None = None
    title: str = "planning"

    def run(self) -> Plan:
        plan = make_plan(self.session, self.bundle, self.ready.deployer)
        if self.candidate is not None:
            plan = self.candidate.final(plan)
        if self.saved is not None:
            saved = load_plan(self.saved)
            refuse_stale(saved, plan)
            refuse_expired(self.session, saved)
            plan = saved
        record = self.session.state.record(plan.tag)
        if plan.body.actions and record.exists() and not self.session.target.chain.local:
            raise AlreadyRecorded(
                f"{plan.tag} is already recorded on {plan.target}, and this plan would change what it says",
                remedy="Give the new release a version of its own in ship.toml.",
            )
        return plan

    def summary(self, result: Plan) -> str:
        count = len(result.body.actions)
        if not count:
            return "nothing to do: the chain holds this bundle"
        return f"{count} transaction{'s' if count != 1 else ''}, plan {result.digest[:12]}"
