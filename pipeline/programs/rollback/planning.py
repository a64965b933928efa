"""The plan that goes back, and what of the programs' state does not go with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal

from solders.pubkey import Pubkey

from chains.canonical import digest
from chains.errors import ShipError
from chains.solana.layouts import elf_sha256, parse_buffer, program_data_address
from chains.solana.live import LiveProgram, staged_buffers
from chains.solana.plan import plan_program
from chains.solana.release import PlannedUnit, SolanaAction, SolanaPlan, job_of
from chains.solana.squads.releasing import with_proposals
from pipeline.bundle import BundleMissing
from pipeline.manifest.resolved import resolved
from pipeline.programs.keys import squads_of
from pipeline.programs.plan import ProgramPlan
from pipeline.programs.preparing import chain_of, live_state
from pipeline.programs.rollback.course import ProgramCourse
from pipeline.programs.session import ProgramSession, idls_of
from pipeline.programs.store import find_bytes
from pipeline.rollback.errors import CannotGoBack

__all__ = ["ProgramWay", "plan_back", "state_risks"]

Strategy = Literal["solana-warm", "solana-cold"]


@dataclass(frozen=True)
class ProgramWay:
    """One program's way back. ``buffer`` holds the bytes already where the strategy is ``solana-warm``."""

    now: LiveProgram
    then: LiveProgram
    strategy: Strategy
    action: SolanaAction
    buffer: str | None


def plan_back(
    session: ProgramSession, course: ProgramCourse, *, deployer: str, payer: str
) -> tuple[list[ProgramWay], ProgramPlan | None]:
    """Every program that differs, and the plan; no plan where none does. Reads only.

    Raises ``CannotGoBack``, ``ProgramBytesMissing`` and what ``plan_program`` raises: the authority moved, the program gone.
    """
    live = session.live()
    moved = [
        (live[name], then) for name, then in course.before.items() if name in live and live[name].sha256 != then.sha256
    ]
    if course.returns_to is None:
        raise CannotGoBack(
            f"{course.rolls_back.tag} is the first release to {session.target.name}: no earlier program is there to go back to",
            remedy="Release a corrected version.",
        )
    ways = [_way(session, now, then, deployer, payer) for now, then in moved]
    if not ways:
        return [], None
    return ways, _plan(session, course, ways, live, deployer, payer)


def _way(session: ProgramSession, now: LiveProgram, then: LiveProgram, deployer: str, payer: str) -> ProgramWay:
    elf = find_bytes(session, then.name, _file_sha256(session, then))
    found = plan_program(session.cluster, "", now.name, now.program, payer, deployer, elf, settings=session.settings)
    if found.job is None:  # somebody put it back outside ship
        raise CannotGoBack(
            f"{now.program} runs {then.sha256[:16]}… already, which the journal does not know",
            remedy="`ship status` shows who recorded what. Release anew.",
        )
    staged_by, buffer = _staged(session, now.program, then.sha256, deployer, elf)
    details: dict[str, Any] = {
        "program": now.program,
        "sha256": elf_sha256(elf),
        "file_sha256": sha256(elf).hexdigest(),
        "length": len(elf),
        "max_length": found.job.max_length,
        "extend_bytes": found.job.extend_bytes,
        "before_sha256": found.job.before_sha256,
        **({"staged_by": staged_by} if staged_by else {}),
    }
    action = SolanaAction(
        id=now.name,
        kind="upgrade",
        unit=now.name,
        title=f"back to the {len(elf):,} bytes of {then.sha256[:16]}…" + (" from their buffer" if staged_by else ""),
        transactions=1 if staged_by else found.transactions,
        fee_lamports=min(found.fee_lamports, 10_000) if staged_by else found.fee_lamports,
        rent_lamports=found.rent_lamports,
        borrowed_lamports=0 if staged_by else found.borrowed_lamports,
        details=details,
    )
    return ProgramWay(now, then, "solana-warm" if staged_by else "solana-cold", action, buffer)


def _file_sha256(session: ProgramSession, unit: LiveProgram) -> str:
    actions = session.plan(unit.plan).body.actions
    found = next(a for a in actions if a.unit == unit.name and a.details.get("sha256") == unit.sha256)
    return str(found.details["file_sha256"])


def _staged(
    session: ProgramSession, program: str, sha: str, deployer: str, elf: bytes
) -> tuple[str | None, str | None]:
    """The plan whose buffer holds these bytes now, whole and the signer's; and that buffer."""
    by = staged_buffers(session.rows, session.bodies()).get((program, sha))
    if by is None:
        return None, None
    body = session.plan(by).body
    stage = next(a for a in body.actions if a.kind == "stage" and a.details["sha256"] == sha)
    key = job_of(stage, body, by, elf).buffer
    account = session.cluster.accounts([key], "confirmed")[key]
    if account is None or not account.data:
        return None, None
    try:
        held = parse_buffer(account)
    except ShipError:
        return None, None  # somebody made something else of it: the way is then cold
    return (by, key) if held.elf == elf and str(held.authority) == deployer else (None, None)


def _plan(
    session: ProgramSession,
    course: ProgramCourse,
    ways: list[ProgramWay],
    live: Mapping[str, LiveProgram],
    deployer: str,
    payer: str,
) -> ProgramPlan:
    then = course.returns_to
    assert then is not None
    squads = squads_of(session.target, payer)
    plain = [way.action for way in ways]
    actions = tuple(with_proposals(session.cluster, plain, squads, []) if squads else plain)
    risks, accepted = state_risks(session, course, ways)
    height = session.cluster.height("confirmed")
    body = SolanaPlan(
        chain=chain_of(session),
        deployer=deployer,
        payer=payer,
        actions=actions,
        units=tuple(_units(ways, live, deployer)),
        checks=then.body.checks,
        limits={
            "max_lamports": session.target.spec.policy.max_lamports,
            "price_cap_micro_lamports": session.settings.price_cap_micro_lamports,
        },
        estimate={
            "transactions": sum(a.transactions for a in actions),
            "fee_lamports": sum(a.fee_lamports for a in actions),
            "rent_lamports": sum(a.rent_lamports for a in actions),
            "borrowed_lamports": max(a.borrowed_lamports for a in actions),
            "seconds": 13 * sum(1 if way.strategy == "solana-warm" else 3 for way in ways),
        },
        observed={
            "slot": height.slot,
            "block_height": height.block_height,
            "balance_lamports": session.cluster.balance(payer),
        },
    )
    return ProgramPlan(
        project=session.project.name,
        version=then.version,
        target=session.target.name,
        commit=then.commit,
        dirty=then.dirty,
        bundle=then.bundle,
        inputs=digest(resolved(session.project, session.target, _no_units())),
        state=live_state(session),
        body=body,
        warnings=tuple(dict.fromkeys((*accepted, *risks))),
        rollback={
            "rolls_back": course.rolls_back.tag,
            "returns_to": then.tag,
            "undoes": course.rolls_back.digest,
            "strategy": "+".join(sorted({way.strategy for way in ways})),
            "capability": "code-only" if risks or accepted else "full",
            "state_risks": risks,
            "accepted_risks": accepted,
        },
    )


def _no_units() -> Any:
    from chains.solana.units import SolanaUnits

    return SolanaUnits()


def _units(ways: list[ProgramWay], live: Mapping[str, LiveProgram], deployer: str) -> Iterator[PlannedUnit]:
    back = {way.now.name: way for way in ways}
    for name, unit in live.items():
        way = back.get(name)
        after = {
            "address": unit.program,
            "program_data": str(program_data_address(Pubkey.from_string(unit.program))),
            "sha256": way.then.sha256 if way else unit.sha256,
            "authority": deployer if way else unit.authority,
        }
        reason = f"{unit.sha256[:16]}… → {way.then.sha256[:16]}…" if way else "not touched by the rollback"
        yield PlannedUnit(name, "upgrade" if way else "unchanged", reason, after)


def state_risks(session: ProgramSession, course: ProgramCourse, ways: list[ProgramWay]) -> tuple[list[str], list[str]]:
    """What accounts that the newer program wrote are to the older one, by the two IDLs: told, and to be accepted."""
    assert course.returns_to is not None
    try:
        new, old = session.bundle(course.rolls_back.bundle), session.bundle(course.returns_to.bundle)
    except BundleMissing:
        return ["the bundles are not here, so that account layouts could not be compared"], []
    newer, older = idls_of(new), idls_of(old)
    told, accepted = [], []
    for way in ways:
        name = way.now.name
        if name not in newer or name not in older:
            told.append(f"{name}: without an IDL of both releases its account layouts could not be compared")
            continue
        before, after = older[name].types, newer[name].types
        kept = {str(account["name"]) for account in older[name].body.get("accounts", [])}
        added = {str(account["name"]) for account in newer[name].body.get("accounts", [])} - kept
        accepted += [
            f"{name}: accounts of {kind} have another layout since {course.rolls_back.tag}"
            for kind in sorted(kept)
            if kind in after and after[kind] != before.get(kind)
        ]
        told += [
            f"{name}: {kind}, new in {course.rolls_back.tag}, is unknown to {course.returns_to.tag}"
            for kind in sorted(added)
        ]
    return told, accepted
