"""Rollbacks on EVM chains: the way surveyed and rehearsed, and the plan that goes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from chains.canonical import digest
from chains.evm.actions import Action, EvmPlan, PlannedCheck, PlannedUnit
from chains.evm.address import checksum, keccak256
from chains.evm.going_back import resolved_redirects
from chains.evm.live import LiveUnit
from chains.evm.node import Node
from chains.evm.scene import Scene
from chains.evm.simulate import shown
from chains.evm.units import DEPLOYER, EvmUnits, GoBack, Ref, Value
from pipeline.manifest.resolved import resolved
from pipeline.manifest.units import evm_redirects, evm_units
from pipeline.plan import Plan, live_digest
from pipeline.rollback.builds import Builds, bundle_or_none
from pipeline.rollback.errors import CannotGoBack, PreconditionGone
from pipeline.rollback.history import Course
from pipeline.rollback.model import Requires, UnitWay, Way
from pipeline.rollback.recalling import recalled
from pipeline.rollback.rehearsing import Rehearsed, rehearse
from pipeline.rollback.requirements import requires
from pipeline.rollback.surveying import Survey
from pipeline.session import Session

__all__ = ["EvmFamily", "code_problem"]


class EvmFamily:
    """See ``pipeline.rollback.family.Family``."""

    def way(
        self,
        session: Session,
        before: Mapping[str, LiveUnit],
        after: Mapping[str, LiveUnit],
        *,
        deployer: str,
        checks: Sequence[PlannedCheck],
        actions: Sequence[Action] = (),
        release: Plan | None = None,
    ) -> Way:
        """Raises ``SimulationUnsupported`` where nothing can be tried."""
        node = Node(session.chain.rpc)
        declared = {unit.name: unit for unit in evm_units(session.project, session.target).contracts}

        def authority(name: str) -> Value | None:
            return declared[name].authority if name in declared else None

        way = Survey(
            before,
            after,
            Builds(session, node, release),
            authority,
            evm_redirects(session.project, session.target),
            {name: unit.upgrade.signature for name, unit in declared.items() if unit.upgrade is not None},
            lambda moved: recalled(session.state, moved),
        ).way()
        turns = [*way.calls, *resolved_redirects(way.all_redirects, after, node, deployer)]
        if not turns:
            return way
        finder = _Candidates(after, deployer, release.body.handover if release else None)
        with session.chain.simulator(deployer) as simulator:
            tried = rehearse(simulator, actions, turns, finder, checks)
        fresh = {a.address.lower() for a in actions if a.address}
        return _told(way, turns, tried, [requires(node, who, deployer, fresh) for who in tried.by])

    def plan(self, session: Session, course: Course, way: Way, *, deployer: str) -> Plan:
        """What is to be accepted stands in the plan's ``rollback``. Raises ``PreconditionGone``, ``CannotGoBack``."""
        live = session.live()
        if way.units and not way.calls and not way.all_redirects:
            raise CannotGoBack("; ".join(way.to_accept), remedy="Release a corrected version instead.")
        _preconditions(session, way.calls)
        target = course.returns_to or course.rolls_back
        bundle = bundle_or_none(session, target.plan.bundle)
        body = session.chain.plan(
            EvmUnits(back=way.calls, redirects=way.all_redirects),
            bundle.artifact,
            live,
            deployer=deployer,
            genesis_hash=session.genesis_hash,
        )
        checks, failing = _checks(session, body, course.returns_to.plan.body.checks if course.returns_to else ())
        accepted = tuple(dict.fromkeys((*way.to_accept, *failing)))
        return Plan(
            project=session.project.name,
            version=target.plan.version,
            target=session.target.name,
            commit=target.plan.commit,
            dirty=target.plan.dirty,
            bundle=bundle.digest,
            inputs=digest(resolved(session.project, session.target)),
            state=live_digest(live),
            body=replace(body, checks=checks, units=_units(body, live)),
            warnings=tuple(dict.fromkeys((*accepted, *way.state_risks))),
            rollback={
                "rolls_back": course.rolls_back.plan.tag,
                "returns_to": course.returns_to.plan.tag if course.returns_to else None,
                "undoes": course.rolls_back.plan.digest,
                "strategy": way.strategy,
                "capability": way.capability,
                "state_risks": list(way.state_risks),
                "accepted_risks": list(accepted),
            },
        )


@dataclass(frozen=True)
class _Candidates:
    """Who may be able to make a call, likeliest first."""

    live: Mapping[str, LiveUnit]
    deployer: str
    heir: str | None

    def __call__(self, call: GoBack, owner: str | None) -> Sequence[str]:
        found = [self._declared(call.authority), owner, self.deployer, self.heir]
        return list(dict.fromkeys(checksum(who) for who in found if who))

    def _declared(self, value: Value | None) -> str | None:
        first = value[0] if isinstance(value, tuple) and value else value
        if isinstance(first, Ref):
            return self.deployer if first == DEPLOYER else getattr(self.live.get(first.unit), first.part, None)
        return first if isinstance(first, str) and first.startswith("0x") else None


def _told(way: Way, turns: Sequence[GoBack], tried: Rehearsed, needed: Sequence[Requires]) -> Way:
    """The way with what the rehearsal showed."""
    problems = {turns[n].unit: f"{turns[n].title}: {text}" for n, text in tried.problems.items()}
    units = []
    for unit in way.units:
        own = next((need for turn, need in zip(turns, needed, strict=True) if turn.unit == unit.moved.name), None)
        units.append(_unit(unit, own, problems.get(unit.moved.name)))
    known = {unit.moved.name for unit in way.units}
    others = tuple(text for name, text in problems.items() if name not in known)
    return replace(
        way,
        units=tuple(units),
        risks=(*way.risks, *tried.differing),
        conflicts=(*way.conflicts, *others),
        rehearsed={"by": tried.how, "checks": tried.checks, "differing": list(tried.differing)},
        turns=tuple(zip(turns, needed, strict=True)),
    )


def _unit(unit: UnitWay, needed: Requires | None, problem: str | None) -> UnitWay:
    if problem is None:
        return replace(unit, requires=needed)
    return replace(unit, capability="none", conflicts=(*unit.conflicts, problem), requires=needed)


def _preconditions(session: Session, calls: Sequence[GoBack]) -> None:
    """Raises ``PreconditionGone`` where an implementation gone back to is not on chain as it was recorded."""
    node = Node(session.chain.rpc)
    for call in calls:
        problem = code_problem(session, node, str(call.effect["implementation"]))
        if problem is not None:
            raise PreconditionGone(
                f"{call.unit}: {problem}",
                remedy="Going back would point the proxy at nothing, or at other code. Release a corrected version instead.",
            )


def code_problem(session: Session, node: Node, address: str) -> str | None:
    """What is wrong with the code at ``address`` by the journal; nothing where it is as recorded."""
    known = {r.data["address"].lower(): r.data for r in session.rows if r.kind == "tx.final" and r.data.get("address")}
    code = node.code(address)
    if not code:
        return f"there is no code at {address} any more"
    found, row = "0x" + keccak256(code).hex(), known.get(address.lower())
    if row is not None and row["code_keccak256"] not in (None, found):
        return f"the code at {address} has keccak256 {found}, recorded was {row['code_keccak256']}"
    return None


def _checks(
    session: Session, body: EvmPlan, checks: Sequence[PlannedCheck]
) -> tuple[tuple[PlannedCheck, ...], list[str]]:
    """The old release's checks that hold again after the plan; and of the others, what they will read."""
    if not checks:
        return (), []
    with session.chain.simulator(body.deployer) as simulator:
        reads = simulator.run(
            Scene(body.deployer, body.actions, reads=tuple((check.to, check.data) for check in checks))
        ).reads
    held, failing = [], []
    for check, read in zip(checks, reads, strict=True):
        if read.succeeded and read.returned == check.expected:
            held.append(check)
            continue
        found = shown(check, read.returned) if read.succeeded else "reverts"
        failing.append(
            f"check {check.name}: `{check.call}` will give {found}, and was {shown(check, check.expected)} then"
        )
    return tuple(held), failing


def _units(body: EvmPlan, live: Mapping[str, LiveUnit]) -> tuple[PlannedUnit, ...]:
    """Everything that is live, so that the record of the rollback tells all of it."""
    planned = {unit.name: unit for unit in body.units}
    others = [
        PlannedUnit(name, "unchanged", "not touched by the rollback", unit.to_json())
        for name, unit in live.items()
        if name not in planned
    ]
    return (*planned.values(), *others)
