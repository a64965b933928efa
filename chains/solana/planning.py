"""From a project's units and what a cluster shows to the plan of a release. Reads only."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from solders.pubkey import Pubkey

from chains.errors import Refused
from chains.solana import chunks
from chains.solana.announcing import Announced, announcements
from chains.solana.checking import planned_check
from chains.solana.drafting import Drafting, Replaced, price_of
from chains.solana.fees import Budget, limit_from
from chains.solana.layouts import BUFFER_HEAD, elf_sha256, parse_program_data, program_data_address, whole_elf
from chains.solana.plan import PlannedProgram, plan_program
from chains.solana.planning_calls import plan_call
from chains.solana.release import PlannedUnit, SolanaAction, SolanaPlan
from chains.solana.squads.releasing import with_proposals
from chains.solana.units import ProgramUnit, SolanaUnits

__all__ = ["CostsTooMuch", "plan_release"]


class CostsTooMuch(Refused):
    """SHIP-Q21: the release would cost more than the policy allows."""

    code = "SHIP-Q21"


def plan_release(draft: Drafting, units: SolanaUnits) -> SolanaPlan:
    """The plan. Raises the ``Refused`` of whatever does not fit, before anything was signed."""
    cluster = draft.cluster
    draft.ids = {unit.name: unit.program for unit in units.programs}
    height = cluster.height("confirmed")
    balance = cluster.balance(draft.payer)
    actions: list[SolanaAction] = []
    planned: list[PlannedUnit] = []
    for unit in units.ordered():
        made, what = _program(draft, unit) if isinstance(unit, ProgramUnit) else plan_call(draft, unit)
        actions += made
        planned.append(what)
    for unit in units.programs:
        actions += _announced(draft, unit)
    if draft.squads is not None:
        actions = with_proposals(cluster, actions, draft.squads, draft.left_out)
    checks = tuple(
        planned_check(check, draft.ids[check.program], draft.files(check.program).idl) for check in units.checks
    )
    estimate = _estimate(draft, actions)
    _within(draft, estimate)
    return SolanaPlan(
        chain=draft.chain,
        deployer=draft.deployer,
        payer=draft.payer,
        actions=tuple(actions),
        units=tuple(planned),
        checks=checks,
        limits={
            "max_lamports": draft.max_lamports,
            "price_cap_micro_lamports": draft.settings.price_cap_micro_lamports,
        },
        estimate=estimate,
        observed={"slot": height.slot, "block_height": height.block_height, "balance_lamports": balance},
    )


def _estimate(draft: Drafting, actions: list[SolanaAction]) -> dict[str, Any]:
    return {
        "transactions": sum(action.transactions for action in actions),
        "fee_lamports": sum(action.fee_lamports for action in actions),
        "rent_lamports": sum(action.rent_lamports for action in actions),
        "borrowed_lamports": max((action.borrowed_lamports for action in actions), default=0),
        "seconds": draft.seconds,
    }


def _within(draft: Drafting, estimate: Mapping[str, Any]) -> None:
    cost = estimate["fee_lamports"] + estimate["rent_lamports"]
    if draft.max_lamports is not None and cost > draft.max_lamports:
        raise CostsTooMuch(
            f"the release takes {cost} lamports ({estimate['rent_lamports']} of them rent), max-lamports allows "
            f"{draft.max_lamports}",
            remedy="Raise `max-lamports` under [policy] if that is meant.",
        )


# -- programs ----------------------------------------------------------------------------------------------------------


def _program(draft: Drafting, unit: ProgramUnit) -> tuple[list[SolanaAction], PlannedUnit]:
    elf = draft.files(unit.name).elf
    found = plan_program(
        draft.cluster,
        "",
        unit.name,
        unit.program,
        draft.payer,
        draft.deployer,
        elf,
        room_bytes=unit.room_bytes,
        may_extend=unit.may_extend,
        settings=draft.settings,
    )
    after = {
        "address": unit.program,
        "program_data": str(program_data_address(Pubkey.from_string(unit.program))),
        "sha256": elf_sha256(elf),
        "authority": draft.deployer,
    }
    if found.job is None:
        return [], PlannedUnit(unit.name, "unchanged", _unchanged(draft, unit, after), after)
    draft.changed.add(unit.name)
    draft.seconds += found.seconds
    actions = []
    if unit.staged and found.job.kind == "upgrade":
        actions.append(_stage(draft, unit))
    actions.append(_release(found, elf))
    change = "create" if found.kind == "deploy" else "upgrade"
    reason = "grows, so its account is extended first" if found.kind == "extend+upgrade" else ""
    return actions, PlannedUnit(unit.name, change, reason, after)  # type: ignore[arg-type]


def _unchanged(draft: Drafting, unit: ProgramUnit, after: Mapping[str, Any]) -> str:
    known = draft.live.get(unit.name)
    return "" if known and known.sha256 == after["sha256"] else "these bytes run already"


def _release(found: PlannedProgram, elf: bytes) -> SolanaAction:
    job = found.job
    assert job is not None
    verb = "deploy" if job.kind == "deploy" else "upgrade"
    extended = f", {job.extend_bytes:,} bytes added to its account" if job.extend_bytes else ""
    return SolanaAction(
        id=job.unit,
        kind=verb,  # type: ignore[arg-type]
        unit=job.unit,
        title=f"{verb} {job.unit} ({len(elf):,} bytes{extended})",
        transactions=found.transactions,
        fee_lamports=found.fee_lamports,
        rent_lamports=found.rent_lamports,
        borrowed_lamports=found.borrowed_lamports,
        details={
            "program": job.program,
            "sha256": elf_sha256(elf),
            "file_sha256": sha256(elf).hexdigest(),
            "length": len(elf),
            "max_length": job.max_length,
            "extend_bytes": job.extend_bytes,
            "before_sha256": job.before_sha256,
        },
    )


def _stage(draft: Drafting, unit: ProgramUnit) -> SolanaAction:
    """The bytes that run now, kept in a buffer: taken from the chain, which is where the way back leads."""
    key = str(program_data_address(Pubkey.from_string(unit.program)))
    account = draft.cluster.accounts([key], "confirmed")[key]
    assert account is not None  # it was just read
    elf = whole_elf(parse_program_data(account).elf)
    draft.keep(Replaced(elf_sha256(elf), elf))
    payer = Pubkey.from_string(draft.payer)
    budget = Budget(limit_from(2_370), price_of(draft))
    writes = len(chunks.split(elf, chunks.chunk_size(payer, payer, budget)))
    handover = draft.payer != draft.deployer
    return SolanaAction(
        id=f"{unit.name}.staged",
        kind="stage",
        unit=unit.name,
        title=f"keep the {len(elf):,} bytes that {unit.name} runs now in a buffer: the way back in one transaction",
        transactions=writes + 1 + handover,
        fee_lamports=budget.lamports(1) * (writes + 1 + handover),
        rent_lamports=draft.cluster.rent(BUFFER_HEAD + len(elf)),
        details={
            "program": unit.program,
            "sha256": elf_sha256(elf),
            "file_sha256": sha256(elf).hexdigest(),
            "length": len(elf),
            "max_length": len(elf),
            "extend_bytes": 0,
            "before_sha256": None,
        },
    )


def _announced(draft: Drafting, unit: ProgramUnit) -> list[SolanaAction]:
    files = draft.files(unit.name)
    what = Announced(
        unit.name,
        unit.program,
        files.idl_bytes if unit.idl else None,
        files.security if unit.security else None,
        files.build,
    )
    made = list(
        announcements(
            draft.cluster,
            what,
            payer=draft.payer,
            authority=draft.deployer,
            settings=draft.settings,
            deploys=unit.name in draft.changed,
            optional=draft.local,
            missing=draft.left_out,
        )
    )
    draft.seconds += 13 * len(made)
    return made
