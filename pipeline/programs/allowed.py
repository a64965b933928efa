"""What an approved plan allows a message to say, step by step. Default deny."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from solders.pubkey import Pubkey

from chains.solana.job import Job
from chains.solana.layouts import LOADER, PROGRAM_BYTES, program_data_address
from chains.solana.reading import Said, SaidInstruction
from chains.solana.release import SolanaAction, SolanaPlan, instruction_json, job_of
from chains.solana.squads.releasing import wanted_of
from pipeline.programs.allowed_publications import why_not_published

__all__ = ["why_not"]

_JOBS = {"deploy", "upgrade", "stage"}
Expected = Mapping[str, Mapping[str, Any]]


def why_not(
    said: Said,
    plan: SolanaPlan,
    digest: str,
    action: SolanaAction,
    step: str,
    bytes_of: Callable[[SolanaAction], bytes],
) -> str | None:
    """Why the plan does not hold this message as a step of ``action``; ``None``: it does."""
    if said.payer != plan.payer:
        return f"{said.payer} would pay, the plan's payer is {plan.payer}"
    others = set(said.signers) - _signers(plan, action, step)
    if others:
        return f"it asks for a signature of {', '.join(sorted(others))}"
    real = [one for one in said.instructions if not (one.name or "").startswith("budget.")]
    if not real:
        return "it does nothing"
    budget = [one.name for one in said.instructions if (one.name or "").startswith("budget.")]
    if len(set(budget)) != len(budget):
        return "it asks for its budget twice"
    if action.kind in _JOBS:
        return _job(real, job_of(action, plan, digest, bytes_of(action)), action, step)
    if action.kind == "call":
        return _exactly(real, [action.details["instruction"]])
    if action.kind == "publish":
        return why_not_published(real, plan, digest, action)
    expected = _moved(action, plan)
    return _one_of_each(real, expected, 0)


def _signers(plan: SolanaPlan, action: SolanaAction, step: str) -> set[str]:
    keys = {plan.payer, plan.deployer}
    if action.kind == step == "deploy":
        keys.add(action.details["program"])
    if action.kind == "authority":
        keys.add(action.details["to"])
    return keys


def _job(real: list[SaidInstruction], job: Job, action: SolanaAction, step: str) -> str | None:
    if step == "write":
        return _write(real, job)
    verb, _, number = step.partition(" ")
    if "squads" in action.details and verb in {"propose", "open"} and number.isdigit():
        made = wanted_of(action, job).made(int(number))
        return _exactly(real, [instruction_json(one) for one in (made if verb == "propose" else made[1:])])
    if "squads" in action.details and step == action.kind:
        return "the vault upgrades, by a proposal"
    expected = dict(_steps(job)).get(step)
    if expected is None:
        return f"{step} is no step of it"
    rent = action.rent_lamports if step == "deploy" or action.kind == "stage" else action.borrowed_lamports
    return _one_of_each(real, expected, rent)


def _write(real: list[SaidInstruction], job: Job) -> str | None:
    """Any piece of the very bytes, to where they belong."""
    for one in real:
        said = one.fields
        if one.name != "loader.write" or said["buffer"] != job.buffer or said["authority"] != job.payer:
            return f"{one.name or one.program} is no write to the plan's buffer"
        at, data = said["offset"], said["bytes"]
        if job.elf[at : at + len(data)] != data:
            return f"the bytes at {at} are not the bundle's"
    return None


def _steps(job: Job) -> Iterator[tuple[str, Expected]]:
    buffer, payer, authority, program, data = job.buffer, job.payer, job.authority, job.program, job.program_data
    seeded = {"account": buffer, "base": payer, "seed": job.seed, "owner": str(LOADER)}
    yield (
        "create",
        {
            "system.create-account-with-seed": {"from": payer, "space": job.buffer_space, **seeded},
            "system.transfer": {"from": payer, "to": buffer},
            "system.allocate-with-seed": {"space": job.buffer_space, **seeded},
            "system.assign-with-seed": seeded,
            "loader.initialize-buffer": {"buffer": buffer, "authority": payer},
        },
    )
    extended = {"program_data": data, "program": program, "payer": payer, "bytes": job.extend_bytes}
    yield "extend", {"loader.extend": extended, "loader.extend-checked": {**extended, "authority": authority}}
    yield "handover", {"loader.set-authority": {"account": buffer, "authority": payer, "new": authority}}
    if job.kind == "deploy":
        made = {"from": payer, "account": program, "space": PROGRAM_BYTES, "owner": str(LOADER)}
        deployed = {"payer": payer, "program_data": data, "program": program, "buffer": buffer, "authority": authority}
        yield (
            "deploy",
            {"system.create-account": made, "loader.deploy": {**deployed, "max_length": job.max_length}},
        )
    if job.kind == "upgrade":
        upgraded = {"program_data": data, "program": program, "buffer": buffer, "spill": payer, "authority": authority}
        yield "upgrade", {"loader.upgrade": upgraded}


def _moved(action: SolanaAction, plan: SolanaPlan) -> Expected:
    details = action.details
    if action.kind == "close":
        return {
            "loader.close": {"account": details["buffer"], "recipient": plan.payer, "authority": details["authority"]}
        }
    account = str(program_data_address(Pubkey.from_string(details["program"])))
    said = {"account": account, "authority": details["from"], "new": details["to"]}
    return {"loader.set-authority-checked" if action.kind == "authority" else "loader.set-authority": said}


def _one_of_each(real: list[SaidInstruction], expected: Expected, rent_lamports: int) -> str | None:
    seen = set()
    for one in real:
        fields = expected.get(one.name or "")
        if fields is None or one.name in seen:
            return f"{one.name or one.program} is no part of this step"
        seen.add(one.name)
        wrong = [key for key, wanted in fields.items() if one.fields[key] != wanted]
        if wrong:
            return f"{one.name} has another {', '.join(wrong)} than the plan"
        if one.fields.get("lamports", 0) > rent_lamports:
            return f"{one.name} takes {one.fields['lamports']} lamports, the plan at most {rent_lamports}"
    return None


def _exactly(real: list[SaidInstruction], listed: Sequence[Mapping[str, Any]]) -> str | None:
    """The plan's own instructions, every account and byte of them."""
    wanted = Counter((i["program"], tuple(m["key"] for m in i["accounts"]), bytes.fromhex(i["data"])) for i in listed)
    # Which of them sign and are written follows from the message's header; who signs at all was held above.
    said = Counter((one.program, tuple(key for key, _, _ in one.accounts), one.data) for one in real)
    if said - wanted:  # twice what the plan holds once is not the plan's either: an instruction may add up
        return "it holds an instruction that is not the plan's"
    return None
