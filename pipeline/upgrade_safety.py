"""Judging a plan's proxies before anybody approves it: storage, initializers, and the way back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from chains.canonical import digest
from chains.errors import Refused, ShipError
from chains.evm.actions import Action, PlannedUnit
from chains.evm.artifacts import Artifact
from chains.evm.initializing import Attempt, attempts, judge
from chains.evm.layout import StorageFacts, compare_storage
from chains.evm.live import LiveUnit
from chains.evm.probing import Probe, Probed, probe
from chains.evm.scene import SimulationUnsupported
from chains.evm.simulator import Simulator
from chains.evm.units import ContractUnit
from chains.evm.verify.bytecode import init_code
from chains.evm.way_back import way_back
from pipeline.bundle import Bundle, load_bundle
from pipeline.manifest.units import evm_units
from pipeline.plan import Plan
from pipeline.proving import live_creations
from pipeline.session import Session, accepted_plans

__all__ = ["Danger", "Examined", "UnsafeUpgrade", "examine"]


class UnsafeUpgrade(Refused):
    """SHIP-U20: a proxy would be unsafe after the plan."""

    code = "SHIP-U20"


@dataclass(frozen=True)
class Danger:
    """``key`` is what ``unsafe-allow`` calls it: ``layout``, ``initializer``, ``no-way-back``."""

    unit: str
    key: str
    text: str

    def __str__(self) -> str:
        return f"{self.unit} ({self.key}): {self.text}"


@dataclass
class Examined:
    """``proven`` says what was shown, ``notes`` what a person should know, ``accepted`` dangers with their reasons."""

    proven: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    dangers: list[Danger] = field(default_factory=list)
    accepted: list[tuple[Danger, str]] = field(default_factory=list)

    def to_json(self, bundle: str) -> dict[str, Any]:
        """In the form of a gate's result, for the journal and the record."""
        details = [*self.proven, *self.notes, *(f"accepted: {d}; reason: {reason}" for d, reason in self.accepted)]
        return {
            "name": "layout",
            "status": "passed",
            "summary": f"{len(self.proven)} proven, {len(self.accepted)} accepted with a reason",
            "details": details,
            "judged": digest({"bundle": bundle, "details": details}),
            "duration_ms": 0,
            "files": [],
            "earlier": False,
        }


def examine(session: Session, bundle: Bundle, plan: Plan) -> Examined:
    """Everything found about the proxies the plan creates or upgrades. Reads and simulates only.

    Raises ``UnsafeUpgrade`` for a danger that the project does not accept by name and reason.
    """
    with session.chain.simulator(plan.body.deployer) as simulator:
        examiner = _Examiner(session, bundle, plan, simulator)
        for unit, planned in examiner.proxies():
            examiner.examine(unit, planned)
    found = examiner.found
    if found.dangers:
        raise UnsafeUpgrade(
            "\n".join(str(danger) for danger in found.dangers),
            remedy="Repair the contract. Where it is meant so, say why: "
            + "; ".join(
                f'`unsafe-allow = {{ {d.key} = "the reason" }}` under [contracts.{d.unit}]' for d in found.dangers[:1]
            )
            + ".",
        )
    return found


@dataclass
class _Examiner:
    session: Session
    bundle: Bundle
    plan: Plan
    simulator: Simulator
    found: Examined = field(default_factory=Examined)

    @cached_property
    def live(self) -> Mapping[str, LiveUnit]:
        return self.session.live()

    def proxies(self) -> Iterator[tuple[ContractUnit, PlannedUnit]]:
        units = {unit.name: unit for unit in evm_units(self.session.project, self.session.target).contracts}
        for planned in self.plan.body.units:
            unit = units.get(planned.name)
            if unit is not None and unit.proxy != "none" and planned.change in {"create", "upgrade"}:
                yield unit, planned

    def examine(self, unit: ContractUnit, planned: PlannedUnit) -> None:
        artifact = self.bundle.artifact(unit.source)
        if planned.change == "upgrade":
            self._layout(unit, artifact)
            self._way_back(unit, planned, artifact)
        self._initializers(unit, planned, artifact)

    def _danger(self, unit: ContractUnit, key: str, text: str) -> None:
        danger = Danger(unit.name, key, text)
        if key in unit.unsafe_allow:
            self.found.accepted.append((danger, unit.unsafe_allow[key]))
        else:
            self.found.dangers.append(danger)

    # -- storage -------------------------------------------------------------------------------------------------

    def _layout(self, unit: ContractUnit, artifact: Artifact) -> None:
        try:
            before = self._live_artifact(unit.name)
        except ShipError as error:
            self._not_compared(unit, f"the bundle of the live implementation cannot be read: {error.cause}")
            return
        if before is None:
            self._not_compared(unit, "which build the live implementation came from is not recorded")
            return
        old, new = StorageFacts.of(before), StorageFacts.of(artifact)
        if old is None or new is None:
            self._not_compared(unit, "its compiler gives no storage layout (before 0.5.13)")
            return
        findings = compare_storage(old, new)
        for finding in findings:
            self._danger(unit, "layout", str(finding))
        if not findings:
            self.found.proven.append(f"{unit.name}: the storage layout goes on from the live one")
        if old.namespaces is None and new.namespaces:
            self.found.notes.append(
                f"{unit.name}: the live build did not record namespaces (ERC-7201): those are not compared"
            )

    def _not_compared(self, unit: ContractUnit, why: str) -> None:
        text = f"storage layouts could not be compared: {why}"
        if self.session.project.gates.layout is not None:
            self._danger(unit, "layout", text)
        else:
            self.found.notes.append(f"{unit.name}: {text}")

    def _live_artifact(self, name: str) -> Artifact | None:
        rows = self.session.rows
        plans = {d: self.session.plan(d) for d in accepted_plans(rows)}
        for creation in live_creations(rows, plans):
            if creation.unit == name and creation.part == "implementation" and creation.source:
                return load_bundle(self.session.state.project.bundles, creation.plan.bundle).artifact(creation.source)
        return None

    # -- the way back --------------------------------------------------------------------------------------------

    def _way_back(self, unit: ContractUnit, planned: PlannedUnit, artifact: Artifact) -> None:
        actions = self.plan.body.actions
        own = [i for i, action in enumerate(actions) if action.unit == unit.name]
        way = way_back(
            unit.name,
            unit.proxy,
            artifact,
            self.live[unit.name],
            authority=self._authority(unit),
            implementation=str(planned.after["implementation"]),
            init_code=self._init_code(str(planned.after["implementation"])),
            nonce=0,
        )
        # Up to this upgrade: what later actions hand over is no longer the authority's, and meant so.
        try:
            probed = probe(self.simulator, actions[: own[-1] + 1], way.probes)
        except SimulationUnsupported as error:
            self._danger(unit, "no-way-back", f"whether it can be upgraded again could not be tried: {error}")
            return
        problem = way.problem(probed, [artifact.abi])
        if problem:
            self._danger(unit, "no-way-back", f"after this upgrade, {problem}")
        else:
            self.found.proven.append(f"{unit.name}: can be upgraded again by the same authority, and back")

    def _authority(self, unit: ContractUnit) -> str:
        """Who makes the upgrade call in the end, as the plan has it: the deployer, a Safe, or the last timelock before it."""
        live = self.live[unit.name]
        direct = {a.lower() for a in (live.address, live.admin, live.beacon) if a}
        made = [a for a in self.plan.body.actions if a.unit == unit.name and a.id.startswith(f"{unit.name}.upgrade")]
        if not made or made[-1].to is None:
            return self.plan.body.deployer
        last = made[-1]
        return last.by or self.plan.body.deployer if str(last.to).lower() in direct else str(last.to)

    def _init_code(self, address: str) -> bytes | None:
        """The init code of a contract this or an earlier plan made."""
        bodies = [self.plan.body, *self.session.bodies().values()]
        found: Iterator[Action] = (a for body in bodies for a in body.actions if a.address == address)
        action = next(found, None)
        return init_code(action) if action else None

    # -- initializers --------------------------------------------------------------------------------------------

    def _initializers(self, unit: ContractUnit, planned: PlannedUnit, artifact: Artifact) -> None:
        tried = list(
            attempts(
                unit.name,
                artifact,
                unit.initialize.signature if unit.initialize else None,
                proxy=planned.after.get("address"),
                implementation=str(planned.after["implementation"]),
            )
        )
        if not tried:
            return
        try:
            probed = self._tried(tried)
        except SimulationUnsupported as error:
            self.found.notes.append(f"{unit.name}: whether it can be initialized again could not be tried: {error}")
            return
        verdicts = [
            self._judged(unit, planned, attempt, result, artifact)
            for attempt, result in zip(tried, probed, strict=True)
        ]
        if all(verdicts):
            self.found.proven.append(f"{unit.name}: nobody can initialize the proxy again, nor the bare implementation")

    def _tried(self, tried: Sequence[Attempt]) -> list[Probed]:
        """Together while none gets through; else each by itself, since one that does changes what the next one meets."""
        together = self._probe([attempt.probe for attempt in tried])
        if not any(result.succeeded for result in together):
            return together
        return [self._probe([attempt.probe])[0] for attempt in tried]

    def _probe(self, probes: Sequence[Probe]) -> list[Probed]:
        """On the state the whole plan leaves behind."""
        return probe(self.simulator, self.plan.body.actions, probes)

    def _judged(
        self, unit: ContractUnit, planned: PlannedUnit, attempt: Attempt, probed: Probed, artifact: Artifact
    ) -> bool:
        verdict, reason = judge(probed, [artifact.abi])
        where = "the proxy" if attempt.on == "proxy" else "the bare implementation"
        if verdict == "unproven":
            self.found.notes.append(
                f"{unit.name}: whether a stranger can call {attempt.function} on {where} is not proven: it {reason}"
            )
        if verdict == "open":
            self._danger(unit, "initializer", _open(planned, attempt, unit))
        return verdict == "closed"


def _open(planned: PlannedUnit, attempt: Attempt, unit: ContractUnit) -> str:
    if attempt.on == "implementation":
        return (
            f"anybody can call {attempt.function} on the bare implementation {planned.after['implementation']}: call "
            "`_disableInitializers()` in its constructor"
        )
    text = f"anybody can call {attempt.function} on the proxy after this plan"
    if attempt.modifier and attempt.modifier.startswith("reinitializer"):
        if unit.upgrade is None and planned.change == "upgrade":
            return f'{text}: make it part of the upgrade with `upgrade = {{ call = "{attempt.function}", args = […] }}`'
        return text
    if planned.change == "create" and unit.initialize is None:
        return f'{text}: set `initialize = {{ call = "{attempt.function}", args = […] }}`'
    return f"{text}: it must work only once"
