"""What a release would do to one program: the bundle's bytes against what runs, read and priced, nothing signed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from solders.pubkey import Pubkey

from chains.errors import Refused
from chains.solana import chunks
from chains.solana.fees import Budget, limit_from, price_from
from chains.solana.job import AuthorityMismatch, Job, ProgramChanged, spaces
from chains.solana.layouts import (
    PROGRAM_DATA_HEAD,
    elf_sha256,
    parse_program,
    parse_program_data,
    program_data_address,
)
from chains.solana.rpc import Cluster
from chains.solana.settings import Settings

__all__ = ["MIN_EXTENSION", "PlannedProgram", "ProgramGrew", "ProgramTooLarge", "plan_program"]

MIN_EXTENSION = 10_240
"""What ExtendProgram adds at least, where the cluster has that rule (SIMD-0431); more room than needed does no harm."""
_MAX_ACCOUNT = 10 * 1024 * 1024
_WRITE_UNITS = 2_370
_SLOT_S = 0.4
_FINALITY_SLOTS = 32
_WRITES_A_SLOT = 60


class ProgramGrew(Refused):
    """SHIP-Q13: the program needs more room than its account has, and the project does not ask for more."""

    code = "SHIP-Q13"


class ProgramTooLarge(Refused):
    """SHIP-Q14: a program is empty, not an ELF, or larger than an account can be."""

    code = "SHIP-Q14"


@dataclass(frozen=True)
class PlannedProgram:
    """``kind`` is what happens; ``job`` carries it out (``None`` for nothing). Lamports: ``rent`` stays in the program,
    ``borrowed`` comes back with the buffer's end, ``fees`` at the prices of now."""

    unit: str
    kind: Literal["nothing", "deploy", "upgrade", "extend+upgrade"]
    job: Job | None
    transactions: int
    rent_lamports: int
    borrowed_lamports: int
    fee_lamports: int
    seconds: int
    live_slot: int | None

    def to_json(self) -> dict[str, Any]:
        shown = {key: value for key, value in self.__dict__.items() if key != "job"}
        return {**shown, "job": self.job.to_json() if self.job else None}


def plan_program(
    cluster: Cluster,
    plan: str,
    unit: str,
    program: str,
    payer: str,
    authority: str,
    elf: bytes,
    *,
    room_bytes: int = 0,
    may_extend: bool = True,
    settings: Settings | None = None,
) -> PlannedProgram:
    """``room_bytes`` is the room a first deployment leaves, where more than the program takes.

    Raises ``AuthorityMismatch``, ``ProgramGrew``, ``ProgramTooLarge``, ``ProgramChanged``.
    """
    most = max(len(elf), room_bytes)
    if elf[:4] != b"\x7fELF" or most + PROGRAM_DATA_HEAD > _MAX_ACCOUNT:
        raise ProgramTooLarge(
            f"{unit} ({len(elf)} bytes) is not an ELF that fits an account", remedy="Build it with `cargo build-sbf`."
        )
    data_key = str(program_data_address(Pubkey.from_string(program)))
    found = cluster.accounts([program, data_key], "confirmed")
    account, data = found[program], found[data_key]
    if account is None or not account.data:
        job = Job(plan, unit, "deploy", program, payer, authority, elf, most)
        return _priced(cluster, job, "deploy", settings or Settings(), None)
    linked = str(parse_program(account).program_data)
    if linked != data_key or data is None:
        raise ProgramChanged(f"{program} was closed, or never finished", remedy="Take a new program id.")
    live = parse_program_data(data)
    if live.authority is None and live.holds(elf):  # immutable, and nothing is asked of it
        return PlannedProgram(unit, "nothing", None, 0, 0, 0, 0, 0, live.slot)
    if str(live.authority) != authority:
        raise AuthorityMismatch(
            f"the upgrade authority of {program} is {live.authority or 'nobody: it is immutable'}, the target names {authority}",
            remedy="Name the program's authority as the signer, or have it moved first.",
        )
    if live.holds(elf):
        return PlannedProgram(unit, "nothing", None, 0, 0, 0, 0, 0, live.slot)
    short = len(elf) - live.capacity
    extension = max(short, MIN_EXTENSION) if short > 0 else 0
    if extension and not may_extend:
        raise ProgramGrew(
            f"{unit} has {len(elf)} bytes, its account on chain room for {live.capacity}",
            remedy="Allow the extension in ship.toml; it costs the rent of the bytes added.",
        )
    extension = min(extension, _MAX_ACCOUNT - PROGRAM_DATA_HEAD - live.capacity)
    job = Job(
        plan,
        unit,
        "upgrade",
        program,
        payer,
        authority,
        elf,
        live.capacity + extension,
        extension,
        elf_sha256(live.elf),
    )
    return _priced(cluster, job, "extend+upgrade" if extension else "upgrade", settings or Settings(), live.slot)


def _priced(
    cluster: Cluster,
    job: Job,
    kind: Literal["deploy", "upgrade", "extend+upgrade"],
    settings: Settings,
    live_slot: int | None,
) -> PlannedProgram:
    recent = cluster.recent_fees([job.buffer, job.program])
    price = price_from(recent, settings.price_percentile, settings.price_cap_micro_lamports)
    payer = Pubkey.from_string(job.payer)
    budget = Budget(limit_from(_WRITE_UNITS), price)
    writes = len(chunks.split(job.elf, chunks.chunk_size(payer, payer, budget)))
    buffer_rent, program_rent, data_rent = (cluster.rent(space) for space in spaces(job))
    if job.kind == "deploy":
        rent = program_rent + data_rent
    else:
        rent = data_rent - cluster.rent(spaces(job)[2] - job.extend_bytes)
    handover = job.payer != job.authority
    others = 2 + handover + bool(job.extend_bytes)
    last_signatures = len({job.payer, job.authority}) + (job.kind == "deploy")
    fees = budget.lamports(1) * (writes + others - 1) + budget.lamports(last_signatures)
    slots = 2 * (others - 1) + -(-writes // _WRITES_A_SLOT) + 2 * _FINALITY_SLOTS
    return PlannedProgram(
        job.unit,
        kind,
        job,
        writes + others,
        rent,
        buffer_rent,
        fees,
        round(slots * _SLOT_S),
        live_slot,
    )
