"""The status of a Solana target: what runs, whether it is what was recorded, and whether the project still builds that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from chains.errors import Resumable, ShipError
from chains.solana.layouts import elf_sha256
from chains.solana.lifecycle import fold
from chains.solana.live import LiveProgram, done_calls
from pipeline.bundle import Bundle
from pipeline.cached_build import cached_bundle
from pipeline.programs.errands.kind import command_of
from pipeline.programs.proving import ProgramProof, prove_programs
from pipeline.programs.session import ProgramSession
from pipeline.session import unfinished_plan
from pipeline.status.model import Drift, TargetStatus, Unfinished, UnitStatus

__all__ = ["program_status"]


def program_status(session: ProgramSession, chain: Mapping[str, object]) -> TargetStatus:
    """Reads the cluster at finality. Raises ``RpcDown``."""
    live = session.live()
    session.confirm_chain()
    proofs = {proof.name: proof for proof in prove_programs(session)}
    bundle, why_not = _bundle(session)
    return TargetStatus(
        session.target.name,
        chain,
        units=tuple(_units(session, live, bundle)),
        drift=tuple(_drift(live, proofs)),
        unfinished=_unfinished(session),
        compared_with=bundle.digest if bundle else None,
        not_compared=why_not,
    )


def _bundle(session: ProgramSession) -> tuple[Bundle | None, str | None]:
    """Of the sources as they are; nothing is built for it."""
    try:
        found = cached_bundle(session.project, session.target)
    except ShipError as error:
        if isinstance(error, Resumable):
            raise
        return None, error.cause
    return found, None if found else "these sources are not built: run `ship build`"


def _units(session: ProgramSession, live: Mapping[str, LiveProgram], bundle: Bundle | None) -> Iterator[UnitStatus]:
    spec, done = session.target.units.spec, done_calls(session.rows, session.bodies())
    records = {row.data["plan"]: row.data["record"] for row in session.rows if row.kind == "plan.finished"}
    for name in [*spec.programs, *(name for name in live if name not in spec.programs)]:
        unit = live.get(name)
        plan = session.plan(unit.plan) if unit else None
        yield UnitStatus(
            name=name,
            kind="program",
            comparison=_compared(name, unit, bundle, known=name in spec.programs),  # type: ignore[arg-type]
            note=f"authority {unit.authority}" if unit else "",
            address=unit.program if unit else None,
            version=plan.version if plan else None,
            record=records.get(plan.digest) if plan else None,
        )
    for name in spec.program_calls:
        yield UnitStatus(name=name, kind="call", comparison="same" if name in done else "not done", note="")


def _compared(name: str, unit: LiveProgram | None, bundle: Bundle | None, *, known: bool) -> str:
    if not known:
        return "not in project"
    if unit is None:
        return "not deployed"
    elf = bundle.program(name, "so") if bundle else None
    if elf is None:
        return "not compared"
    return "same" if elf_sha256(elf) == unit.sha256 else "differs"


def _drift(live: Mapping[str, LiveProgram], proofs: Mapping[str, ProgramProof]) -> Iterator[Drift]:
    for name, unit in live.items():
        proof = proofs[name]
        if not proof.sha256:
            yield Drift(name, "program", unit.program, unit.sha256, None)
        elif proof.sha256 != unit.sha256 or proof.bytes == "differs":
            yield Drift(name, "sha256", unit.program, unit.sha256, proof.sha256)
        if proof.sha256 and proof.authority != unit.authority:
            yield Drift(name, "authority", unit.program, unit.authority, proof.authority)


def _unfinished(session: ProgramSession) -> Unfinished | None:
    digest = unfinished_plan(session.rows)
    if digest is None:
        return None
    plan = session.plan(digest)
    states = [fold(session.rows, digest, action.id) for action in plan.body.actions]
    stages = Counter(
        "final" if state.final else "signed" if state.attempts or state.waves else "planned" for state in states
    )
    return Unfinished(digest, plan.version, len(states), dict(sorted(stages.items())), command_of(plan))
