"""A plan with an action of every kind, and every message the engine makes for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import to_bytes_versioned
from solders.pubkey import Pubkey

from chains.solana import loader
from chains.solana.fees import Budget
from chains.solana.job import Seen, instructions
from chains.solana.layouts import PROGRAM_BYTES, Account, elf_sha256, program_data_address
from chains.solana.release import SolanaAction, SolanaPlan, instruction_json, job_of
from chains.solana.transactions import Unsigned, compile_message

__all__ = ["CAP", "DIGEST", "ELF", "KEYS", "PLAN", "Made", "engine_messages"]

DIGEST = "ab" * 32
ELF = bytes(range(1, 250)) * 9
CAP = 50_000
KEYS = {
    name: Keypair.from_seed(bytes([number]) * 32).pubkey()
    for number, name in enumerate(("payer", "authority", "program", "upgraded", "next", "other", "buffer"), start=1)
}
_RENTS = {37 + len(ELF): 9_000, PROGRAM_BYTES: 500, 45 + len(ELF): 9_500, 45 + 3_000: 12_000}
_CALL = Instruction(
    KEYS["program"],
    bytes([11, 18, 104, 9, 104, 174, 59, 33]) + bytes(8),
    [AccountMeta(KEYS["authority"], True, True), AccountMeta(KEYS["buffer"], False, True)],
)


def _bytes(kind: str, program: str, **more: Any) -> dict[str, Any]:
    shown = {"program": str(KEYS[program]), "sha256": elf_sha256(ELF), "max_length": len(ELF), "extend_bytes": 0}
    return {**shown, "file_sha256": "", "before_sha256": None if kind == "deploy" else "00" * 32, **more}


def _action(kind: Any, details: dict[str, Any], *, rent: int = 0, borrowed: int = 0) -> SolanaAction:
    return SolanaAction(kind, kind, "counter", kind, 1, 5_000, rent, borrowed, details)


_PLACE = str(KEYS["upgraded"])
PLAN = SolanaPlan(
    chain={"name": "solana-local", "id": None, "genesis_hash": "genesis"},
    deployer=str(KEYS["authority"]),
    payer=str(KEYS["payer"]),
    actions=(
        _action("deploy", _bytes("deploy", "program"), rent=10_000, borrowed=9_000),
        _action(
            "upgrade", _bytes("upgrade", "upgraded", max_length=3_000, extend_bytes=700), rent=2_500, borrowed=9_000
        ),
        _action("stage", _bytes("stage", "upgraded"), rent=9_000),
        _action("call", {"instruction": instruction_json(_CALL)}),
        _action("authority", {"program": _PLACE, "from": str(KEYS["authority"]), "to": str(KEYS["next"])}),
        _action("finalize", {"program": _PLACE, "from": str(KEYS["authority"]), "to": None}),
        _action("close", {"buffer": str(KEYS["buffer"]), "authority": str(KEYS["authority"])}),
    ),
    units=(),
    checks=(),
    limits={"max_lamports": None, "price_cap_micro_lamports": CAP},
    estimate={"fee_lamports": 5_000, "rent_lamports": 21_500, "transactions": 7},
    observed={"slot": 1},
)


@dataclass(frozen=True)
class Made:
    """One message as its parts: ``payer``, ``instructions`` (the budget's first), the step of an action it is for."""

    action: SolanaAction
    step: str
    payer: Pubkey
    instructions: tuple[Instruction, ...]
    blockhash: str = "4uQeVj5tqViQh7yWWGStvkEG1Zmhx6uasJtWCJziofM"

    @property
    def message(self) -> bytes:
        return to_bytes_versioned(compile_message(self.payer, self.instructions, self.blockhash))

    @property
    def unsigned(self) -> Unsigned:
        return Unsigned(DIGEST, self.action.id, self.step, self.message)

    def with_instruction(self, place: int, made: Instruction) -> Made:
        return replace(self, instructions=(*self.instructions[:place], made, *self.instructions[place + 1 :]))


def engine_messages(budget: Budget, *, held: int = 0, digest: str = DIGEST) -> Iterator[Made]:
    """All of them, for the plan with this digest; ``held`` lamports lie at the buffer's address already."""
    for action in PLAN.actions:
        for step, made in _steps(action, held, digest):
            yield Made(action, step, KEYS["payer"], (*budget.instructions(), *made))


def _steps(action: SolanaAction, held: int, digest: str) -> Iterator[tuple[str, Sequence[Instruction]]]:
    if action.kind in {"deploy", "upgrade", "stage"}:
        job = job_of(action, PLAN, digest, ELF)
        empty = Account(held, str(Pubkey.default()), b"", False, 1) if held else None
        seen = Seen(None, None, empty)
        yield "create", instructions(job, "create", seen, _RENTS)
        for at in (0, 1_000, len(ELF) - 40):
            yield "write", [job.write(at, ELF[at : at + 500])]
        yield "handover", instructions(job, "handover", seen, _RENTS)
        if job.extend_bytes:
            yield "extend", instructions(job, "extend", seen, _RENTS)
            yield "extend", instructions(job, "extend", seen, _RENTS, checked_extend=True)
        if action.kind != "stage":
            yield action.kind, instructions(job, action.kind, seen, _RENTS)  # type: ignore[arg-type]
        return
    if action.kind == "call":
        yield "call", [_CALL]
    elif action.kind == "close":
        yield "close", [loader.close(KEYS["buffer"], KEYS["payer"], KEYS["authority"])]
    else:
        account = program_data_address(KEYS["upgraded"])
        if action.kind == "authority":
            yield "authority", [loader.set_authority_checked(account, KEYS["authority"], KEYS["next"])]
        else:
            yield "finalize", [loader.set_authority(account, KEYS["authority"], None)]
