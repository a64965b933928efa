"""One program to be put on chain, and the next thing to do for it: a pure function of what a look shows."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any, Literal

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from chains.errors import NeedsPerson, Refused
from chains.solana import loader
from chains.solana.layouts import (
    BUFFER_HEAD,
    LOADER,
    PROGRAM_BYTES,
    PROGRAM_DATA_HEAD,
    Account,
    buffer_address,
    elf_sha256,
    parse_buffer,
    parse_program,
    parse_program_data,
    program_data_address,
)

__all__ = [
    "AuthorityMismatch",
    "BufferDiffers",
    "Job",
    "ProgramChanged",
    "Seen",
    "Step",
    "instructions",
    "next_step",
    "seed_of",
]

Step = Literal["create", "extend", "write", "handover", "deploy", "upgrade", "released"]


class AuthorityMismatch(Refused):
    """SHIP-Q06: the program's upgrade authority is not the one the target names."""

    code = "SHIP-Q06"


class BufferDiffers(NeedsPerson):
    """SHIP-Q07: the buffer does not hold the planned bytes, and ship cannot write to it any more."""

    code = "SHIP-Q07"


class ProgramChanged(NeedsPerson):
    """SHIP-Q08: the program is neither what it was when the plan was made nor what the plan makes of it."""

    code = "SHIP-Q08"


def seed_of(plan: str, unit: str) -> str:
    """The buffer's seed: it follows from the plan, so that a run that lost everything but its plan finds its buffer."""
    return sha256(f"ship buffer\0{plan}\0{unit}".encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Job:
    """``kind`` is what the plan found. ``payer`` pays and writes; ``authority`` signs the deployment alone. Addresses in base58.

    ``before_sha256`` is the program's hash at planning, ``None`` where there was none; ``extend_bytes`` the room to add first.
    ``stage`` ends with the bytes in a buffer that is the authority's, so that a later ``upgrade`` to them is one transaction:
    its ``staged_by`` is the plan whose buffer that is.
    """

    plan: str
    unit: str
    kind: Literal["deploy", "upgrade", "stage"]
    program: str
    payer: str
    authority: str
    elf: bytes
    max_length: int
    extend_bytes: int = 0
    before_sha256: str | None = None
    staged_by: str | None = None

    @property
    def seed(self) -> str:
        if self.kind == "stage" or self.staged_by:
            return seed_of(self.staged_by or self.plan, f"staged {self.program}")
        return seed_of(self.plan, self.unit)

    @property
    def buffer(self) -> str:
        return str(buffer_address(Pubkey.from_string(self.payer), self.seed))

    @property
    def program_data(self) -> str:
        return str(program_data_address(Pubkey.from_string(self.program)))

    @property
    def buffer_space(self) -> int:
        return BUFFER_HEAD + len(self.elf)

    @property
    def keys(self) -> list[str]:
        return [self.program, self.program_data, self.buffer]

    @property
    def content(self) -> bytes:
        return self.elf

    def write(self, offset: int, data: bytes) -> Instruction:
        """One chunk's write, by the payer."""
        return loader.write(Pubkey.from_string(self.buffer), Pubkey.from_string(self.payer), offset, data)

    def to_json(self) -> dict[str, Any]:
        shown = asdict(self)
        del shown["elf"]
        return {**shown, "buffer": self.buffer, "seed": self.seed, "sha256": elf_sha256(self.elf)}


@dataclass(frozen=True)
class Seen:
    """The three accounts of a job, as one node showed them at one slot."""

    program: Account | None
    program_data: Account | None
    buffer: Account | None

    @classmethod
    def of(cls, job: Job, accounts: dict[str, Account | None]) -> Seen:
        return cls(*(accounts[key] for key in job.keys))


def next_step(job: Job, seen: Seen) -> Step:
    """Decide. Raises ``ProgramChanged``, ``BufferDiffers``, ``AuthorityMismatch`` and ``UnreadableAccount``."""
    running = _running(job, seen) if job.kind != "stage" else "as before"
    if running == "released":
        return "released"
    buffer = seen.buffer
    if buffer is None or not buffer.data or buffer.owner != str(LOADER):
        if buffer is not None and buffer.owner != str(Pubkey.default()):
            raise BufferDiffers(
                f"the buffer's address {job.buffer} belongs to {buffer.owner}", remedy="Make a new plan: `--replan`."
            )
        return "create"
    held = parse_buffer(buffer)
    whole = held.elf == job.elf
    holder = str(held.authority) if held.authority else "nobody"
    if len(held.elf) != len(job.elf) or holder not in {job.payer, job.authority}:
        raise BufferDiffers(
            f"the buffer {job.buffer} has {len(held.elf)} bytes and the authority {holder}",
            remedy="Somebody else used it. `ship deploy --replan` takes a new one.",
        )
    if running == "short":
        return "extend"
    if not whole and holder == job.payer:
        return "write"
    if not whole:
        raise BufferDiffers(
            f"the buffer {job.buffer} holds {elf_sha256(held.elf)[:16]}…, the plan {elf_sha256(job.elf)[:16]}…",
            remedy="Nothing was deployed from it. Plan again: a new plan has a buffer of its own.",
        )
    if holder != job.authority:
        return "handover"
    return "released" if job.kind == "stage" else job.kind


def _running(job: Job, seen: Seen) -> Literal["released", "short", "as before"]:
    """What the program's accounts say."""
    if seen.program is None or not seen.program.data:
        if job.kind == "upgrade":
            raise ProgramChanged(f"the program {job.program} is not there any more", remedy="Ask a second node.")
        return "as before"
    data_key = parse_program(seen.program).program_data
    if str(data_key) != job.program_data or seen.program_data is None:
        raise ProgramChanged(f"the program {job.program} has no ProgramData account", remedy="It was closed.")
    live = parse_program_data(seen.program_data)
    if str(live.authority) != job.authority:
        raise AuthorityMismatch(
            f"the upgrade authority of {job.program} is {live.authority or 'nobody: it is immutable'}, the target names "
            f"{job.authority}",
            remedy="Name the program's authority as the signer, or have it moved first.",
        )
    if live.holds(job.elf):
        return "released"
    if job.kind == "deploy" or elf_sha256(live.elf) != job.before_sha256:
        raise ProgramChanged(
            f"{job.program} runs {elf_sha256(live.elf)[:16]}…, neither what was planned from nor what the plan makes of it",
            remedy="Find out who else deploys it. Then `ship deploy --replan`.",
        )
    return "short" if live.capacity < len(job.elf) else "as before"


def instructions(
    job: Job, step: Step, seen: Seen, rents: dict[int, int], *, checked_extend: bool = False
) -> list[Instruction]:
    """What a step's transaction holds, beside its compute budget. ``rents`` by space."""
    payer, authority = Pubkey.from_string(job.payer), Pubkey.from_string(job.authority)
    program, buffer = Pubkey.from_string(job.program), Pubkey.from_string(job.buffer)
    match step:
        case "create":
            held = seen.buffer.lamports if seen.buffer else 0
            made = loader.create_buffer(payer, buffer, job.seed, job.buffer_space, rents[job.buffer_space], held)
            return [*made, loader.initialize_buffer(buffer, payer)]
        case "extend":
            if checked_extend:
                return [loader.extend_checked(program, authority, payer, job.extend_bytes)]
            return [loader.extend(program, payer, job.extend_bytes)]
        case "handover":
            return [loader.set_authority(buffer, payer, authority)]
        case "deploy":
            create = loader.create_program(payer, program, rents[PROGRAM_BYTES])
            return [create, loader.deploy(payer, program, buffer, authority, job.max_length)]
        case "upgrade":
            return [loader.upgrade(program, buffer, authority, payer)]
    raise ValueError(step)


def spaces(job: Job) -> list[int]:
    """The sizes whose rent the job pays."""
    return [job.buffer_space, PROGRAM_BYTES, PROGRAM_DATA_HEAD + job.max_length]
