"""An instruction of a project, planned: built by the IDL, held against what is done, tried where nothing comes before it."""

from __future__ import annotations

from typing import Any

from solders.pubkey import Pubkey

from chains.canonical import digest
from chains.errors import Refused
from chains.solana.checking import stands
from chains.solana.drafting import Drafting, price_of
from chains.solana.fees import LAMPORTS_PER_SIGNATURE, Budget
from chains.solana.idl import Idl
from chains.solana.release import PlannedUnit, SolanaAction, instruction_json
from chains.solana.transactions import compile_message, populate
from chains.solana.units import CallUnit

__all__ = ["CallWouldFail", "plan_call"]

_CALL_UNITS = 200_000


class CallWouldFail(Refused):
    """SHIP-Q22: an instruction of the plan fails on the cluster as it is."""

    code = "SHIP-Q22"


def plan_call(draft: Drafting, unit: CallUnit) -> tuple[list[SolanaAction], PlannedUnit]:
    files = draft.files(unit.program)
    idl = Idl(files.idl or {})
    program = draft.ids[unit.program]
    made = idl.instruction(program, unit.instruction, unit.args, unit.accounts, signer=draft.deployer)
    written = instruction_json(made)
    name = digest(written)
    after = {"instruction": name, "program": program}
    if draft.done.get(unit.name) == name:
        return [], PlannedUnit(unit.name, "unchanged", "", after)
    if unit.unless is not None and (why := stands(draft.cluster, unit.unless, idl)):
        return [], PlannedUnit(unit.name, "skip", why, after)
    signers = {draft.payer, *(str(m.pubkey) for m in made.accounts if m.is_signer)}
    foreign = signers - {draft.payer, draft.deployer}
    if foreign:
        raise CallWouldFail(
            f"{unit.name} needs a signature of {', '.join(sorted(foreign))}, which is neither the signer nor the payer",
            remedy="Give the account under `accounts`, or have its holder send the instruction.",
        )
    if not draft.changed:
        _try(draft, unit, made)
    shown = {key: str(value) for key, value in unit.args.items()}
    action = SolanaAction(
        id=unit.name,
        kind="call",
        unit=unit.name,
        title=f"{unit.program}.{unit.instruction}({', '.join(f'{k}={v}' for k, v in shown.items())})",
        transactions=1,
        fee_lamports=LAMPORTS_PER_SIGNATURE * len(signers) + Budget(_CALL_UNITS, price_of(draft)).lamports(0),
        details={"program_name": unit.program, "name": unit.instruction, "args": shown, "instruction": written},
    )
    draft.seconds += 13
    draft.changed.add(unit.name)
    return [action], PlannedUnit(unit.name, "call", "", after)


def _try(draft: Drafting, unit: CallUnit, made: Any) -> None:
    """Nothing before it changes anything, so that it can be tried on the cluster as it is."""
    message = compile_message(Pubkey.from_string(draft.payer), [made], "1" * 32)
    raw = populate(message, [bytes(64)] * message.header.num_required_signatures)
    error, logs, _ = draft.cluster.simulate(raw)
    if error is not None:
        said = " | ".join(line for line in logs if "Error" in line or "failed" in line)[-300:]
        raise CallWouldFail(
            f"{unit.name} would fail: {error}{f' ({said})' if said else ''}",
            remedy="Correct its arguments, or name with `unless` what makes it unnecessary.",
        )
