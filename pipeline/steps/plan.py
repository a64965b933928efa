"""Planning: what differs between the project and the chain, as transactions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

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
from pipeline.options import AnyPlan, Candidate
from pipeline.plan import Plan, live_digest, load_plan, refuse_stale
from pipeline.same_address import address_warnings
from pipeline.scripts import scripts_of
from pipeline.session import Session
from pipeline.steps.preflight import Ready

if TYPE_CHECKING:
    from pipeline.programs.session import ProgramSession

__all__ = ["AlreadyRecorded", "Planning", "make_plan", "settled"]


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


def settled(
    session: Session | ProgramSession,
    plan: AnyPlan,
    saved: Path | None,
    candidate: Candidate | None,
    load: Callable[[Path], AnyPlan],
    hold: Callable[[AnyPlan, AnyPlan], None],
) -> AnyPlan:
    """The plan that is to be approved: the one just made, or the one in ``saved``, read by ``load`` and held against it by
    ``hold``; of a candidate's bytes where there is one. Raises ``PlanStale``, ``PlanExpired``, ``AlreadyRecorded``."""
    if candidate is not None:
        plan = candidate.final(plan)
    if saved is not None:
        kept = load(saved)
        hold(kept, plan)
        refuse_expired(session, kept)
        plan = kept
    record = session.state.record(plan.tag)
    if plan.body.actions and record.exists() and not session.target.chain.local:
        raise AlreadyRecorded(
            f"{plan.tag} is already recorded on {plan.target}, and this plan would change what it says",
            remedy="Give the new release a version of its own in ship.toml.",
        )
    return plan


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
        return settled(self.session, plan, self.saved, self.candidate, load_plan, refuse_stale)

    def summary(self, result: Plan) -> str:
        count = len(result.body.actions)
        if not count:
            return "nothing to do: the chain holds this bundle"
        return f"{count} transaction{'s' if count != 1 else ''}, plan {result.digest[:12]}"
