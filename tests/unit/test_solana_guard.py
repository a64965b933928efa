"""The guard before every key on Solana: what the engine makes of a plan is signed, and nothing else is."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from solders.compute_budget import set_compute_unit_price
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer

from chains.solana.fees import Budget
from chains.solana.reading import Said, read_message
from pipeline.programs import allowed
from tests.support.solana_messages import CAP, DIGEST, ELF, KEYS, PLAN, Made, engine_messages

BUDGETS = (Budget(), Budget(3_000, 700), Budget(1_400_000, CAP))
MESSAGES = [made for budget in BUDGETS for held in (0, 100) for made in engine_messages(budget, held=held)]


def _why(made: Made, message: bytes | None = None, module: ModuleType = allowed) -> str | None:
    """The guard's judgement of the plan, ``None``: allowed."""
    try:
        said = read_message(made.message if message is None else message)
    except ValueError as error:
        return f"unreadable: {error}"
    return module.why_not(said, PLAN, DIGEST, made.action, made.step, lambda _: ELF)  # type: ignore[no-any-return]


@pytest.mark.parametrize("made", MESSAGES, ids=lambda made: f"{made.action.kind}-{made.step}")
def test_what_the_engine_makes_is_allowed(made: Made) -> None:
    assert _why(made) is None


def _is_budget(one: Instruction) -> bool:
    return str(one.program_id).startswith("ComputeBudget")


def _other_program(made: Made, place: int, _at: int) -> Made:
    one = made.instructions[place]
    return made.with_instruction(place, Instruction(KEYS["other"], bytes(one.data), one.accounts))


def _other_account(made: Made, place: int, at: int) -> Made | None:
    one = made.instructions[place]
    if not one.accounts:
        return None
    metas = list(one.accounts)
    meta = metas[at % len(metas)]
    metas[at % len(metas)] = AccountMeta(KEYS["other"], meta.is_signer, meta.is_writable)
    return made.with_instruction(place, Instruction(one.program_id, bytes(one.data), metas))


def _one_account_more(made: Made, place: int, at: int) -> Made:
    one = made.instructions[place]
    metas = [*one.accounts, AccountMeta(KEYS["other"], False, at % 2 == 0)]
    return made.with_instruction(place, Instruction(one.program_id, bytes(one.data), metas))


def _one_account_less(made: Made, place: int, _at: int) -> Made | None:
    one = made.instructions[place]
    if not one.accounts or one.program_id == Pubkey.default():
        return None  # the system program's seeded creation says its base twice, the second time where it may
    return made.with_instruction(place, Instruction(one.program_id, bytes(one.data), one.accounts[:-1]))


def _other_byte(made: Made, place: int, at: int) -> Made | None:
    """Any byte of an instruction's data, made larger: of lamports, lengths, offsets, seeds, the program's own bytes."""
    one = made.instructions[place]
    data = bytearray(one.data)
    if not data or _is_budget(one):
        return None
    at %= len(data)
    few_lamports = one.program_id == Pubkey.default() and data[0] in {0, 2} and at in {4, 5}
    if data[at] == 255 or few_lamports:  # still within what the plan allows
        return None
    data[at] = data[at] + 1
    return made.with_instruction(place, Instruction(one.program_id, bytes(data), one.accounts))


def _one_byte_more(made: Made, place: int, at: int) -> Made:
    one = made.instructions[place]
    return made.with_instruction(place, Instruction(one.program_id, bytes(one.data) + bytes([at % 256]), one.accounts))


def _twice(made: Made, place: int, _at: int) -> Made | None:
    """A write twice is one write; any other instruction may add up."""
    again = made.instructions[place]
    if made.step == "write" and not _is_budget(again):
        return None
    return replace(made, instructions=(*made.instructions, again))


def _extra_transfer(made: Made, place: int, at: int) -> Made:
    """To somebody, or to the very account the plan creates: nothing of it is the plan's."""
    to = KEYS["other"]
    move = transfer(TransferParams(from_pubkey=made.payer, to_pubkey=to, lamports=at))
    return replace(made, instructions=(*made.instructions[:place], move, *made.instructions[place:]))


def _extra_price(made: Made, _place: int, _at: int) -> Made | None:
    if not any(_is_budget(one) for one in made.instructions):
        return None
    return replace(made, instructions=(*made.instructions, set_compute_unit_price(CAP * 1000)))


def _other_payer(made: Made, _place: int, _at: int) -> Made:
    return replace(made, payer=KEYS["other"])


def _authority_as_payer(made: Made, _place: int, _at: int) -> Made:
    return replace(made, payer=KEYS["authority"])


def _swapped(made: Made, place: int, _at: int) -> Made | None:
    """Another key of the plan in the place of one of its keys."""
    one = made.instructions[place]
    turn = {KEYS["authority"]: KEYS["payer"], KEYS["payer"]: KEYS["authority"]}
    metas = [AccountMeta(turn.get(m.pubkey, m.pubkey), m.is_signer, m.is_writable) for m in one.accounts]
    changed = [m.pubkey for m in metas] != [m.pubkey for m in one.accounts]
    return made.with_instruction(place, Instruction(one.program_id, bytes(one.data), metas)) if changed else None


def _other_step(made: Made, place: int, _at: int) -> Made | None:
    steps = [step for step in ("create", "write", "handover", "extend", "deploy", "upgrade") if step != made.step]
    return replace(made, step=steps[place % len(steps)]) if made.action.kind in {"deploy", "upgrade", "stage"} else None


def _other_action(made: Made, place: int, _at: int) -> Made:
    others = [action for action in PLAN.actions if action.kind != made.action.kind]
    return replace(made, action=others[place % len(others)])


MUTATIONS: list[Callable[[Made, int, int], Made | None]] = [
    _other_program,
    _other_account,
    _one_account_more,
    _one_account_less,
    _other_byte,
    _one_byte_more,
    _twice,
    _extra_transfer,
    _extra_price,
    _other_payer,
    _authority_as_payer,
    _swapped,
    _other_step,
    _other_action,
]


@settings(max_examples=1500, deadline=None)
@given(
    st.sampled_from(MESSAGES),
    st.sampled_from(MUTATIONS),
    st.integers(0, 10),
    st.integers(0, 2_000),
)
def test_any_other_message_is_refused(
    made: Made, mutate: Callable[[Made, int, int], Made | None], place: int, at: int
) -> None:
    other = mutate(made, place % len(made.instructions), at)
    if other is None or (other.message == made.message and (other.action, other.step) == (made.action, made.step)):
        return
    assert _why(other) is not None, f"{mutate.__name__} of {made.action.kind} {made.step}"


@settings(max_examples=1500, deadline=None)
@given(st.sampled_from(MESSAGES), st.integers(0, 2_000), st.integers(1, 255))
def test_any_other_byte_is_refused_or_says_the_same(made: Made, at: int, add: int) -> None:
    """What may differ: the blockhash, the budget (held by rules of its own), which accounts the header makes writable."""
    body = bytearray(made.message)
    at %= len(body)
    body[at] = (body[at] + add) % 256
    if _why(made, bytes(body)) is None:
        assert _meaning(read_message(bytes(body))) == _meaning(read_message(made.message))


def _meaning(said: Said) -> Any:
    """Lamports and all, except those that a plan bounds from above: less of them is allowed."""
    real = [one for one in said.instructions if not (one.name or "").startswith("budget.")]
    shown = [({k: v for k, v in one.fields.items() if k != "lamports"}, one.program) for one in real]
    return said.payer, set(said.signers) - {str(KEYS["authority"])}, shown, [one.accounts and one.name for one in real]


# -- the guard's own faults --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Mutant:
    """``old`` in the guard's source, with ``new`` in its place."""

    name: str
    old: str
    new: str


MUTANTS = [
    Mutant("any payer", "if said.payer != plan.payer:", "if False:"),
    Mutant("any signer", "if others:", "if False:"),
    Mutant("nothing is something", "if not real:", "if False:"),
    Mutant("budgets twice", "if len(set(budget)) != len(budget):", "if False:"),
    Mutant("any bytes", "if job.elf[at : at + len(data)] != data:", "if False:"),
    Mutant("any buffer", 'said["buffer"] != job.buffer', "False"),
    Mutant("any writer", 'said["authority"] != job.payer', "False"),
    Mutant("writes only", 'one.name != "loader.write"', "False"),
    Mutant("instructions twice", "or one.name in seen:", "or False:"),
    Mutant("unknown instructions", "if fields is None or", "if fields is None and False or"),
    Mutant("other fields", "        if wrong:", "        if False:"),
    Mutant("any lamports", 'if one.fields.get("lamports", 0) > rent_lamports:', "if False:"),
    Mutant("rent of another step", 'if step == "deploy" or action.kind == "stage" else', "if True else"),
    Mutant("any call", "if said - wanted:", "if False:"),
    Mutant("calls twice", "if said - wanted:", "if set(said) - set(wanted):"),
    Mutant("any step", "if expected is None:", "if False:"),
    Mutant("any extension", '"payer": payer, "bytes": job.extend_bytes}', '"payer": payer}'),
    Mutant("any spill", '"spill": payer, ', ""),
    Mutant("any length", ', "max_length": job.max_length', ""),
    Mutant("any seed", '"base": payer, "seed": job.seed, ', ""),
    Mutant("any owner", '"space": PROGRAM_BYTES, "owner": str(LOADER)}', '"space": PROGRAM_BYTES}'),
    Mutant("any next authority", 'said = {"account": account, "authority": details["from"], "new": details["to"]}',
           'said = {"account": account, "authority": details["from"]}'),
    Mutant("any recipient", '"recipient": plan.payer, ', ""),
]  # fmt: skip


def _mutated(mutant: Mutant) -> ModuleType:
    source = Path(str(allowed.__file__)).read_text()
    assert source.count(mutant.old) == 1, f"{mutant.old} is {source.count(mutant.old)} times in the guard"
    changed = source.replace(mutant.old, mutant.new)
    module = ModuleType(f"mutant_of_{allowed.__name__}")
    sys.modules[module.__name__] = module
    exec(compile(changed, str(allowed.__file__), "exec"), module.__dict__)
    return module


def _corpus() -> Iterator[Made]:
    """Messages that must be refused, each mutation at every place of every message."""
    for made in MESSAGES[: len(MESSAGES) * 2 // 3]:
        for mutate in MUTATIONS:
            for place in range(len(made.instructions)):
                for at in range(60):
                    other = mutate(made, place, at)
                    if other is not None:
                        yield other
                    if mutate in {_other_program, _twice, _other_payer, _authority_as_payer, _swapped, _extra_price}:
                        break
        yield replace(made, instructions=made.instructions[: sum(map(_is_budget, made.instructions))])


@pytest.fixture(scope="module")
def corpus() -> list[tuple[Made, Said]]:
    """Those that can be read at all: the others never come to the guard."""
    found = []
    for made in _corpus():
        try:
            found.append((made, read_message(made.message)))
        except ValueError:
            continue
    return found


def test_the_corpus_is_refused(corpus: list[tuple[Made, Said]]) -> None:
    assert len(corpus) > 1_000
    assert [made for made, said in corpus if _judged(allowed, made, said) is None] == []


def _judged(module: ModuleType, made: Made, said: Said) -> str | None:
    return module.why_not(said, PLAN, DIGEST, made.action, made.step, lambda _: ELF)  # type: ignore[no-any-return]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_fault_of_the_guard_is_caught(mutant: Mutant, corpus: list[tuple[Made, Said]]) -> None:
    module = _mutated(mutant)

    def let_through(made: Made, said: Said) -> bool:
        try:
            return _judged(module, made, said) is None
        except (AttributeError, KeyError, TypeError):
            return True  # it came past the line that was to stop it

    refuses = any(_why(made, module=module) is not None for made in MESSAGES)
    assert refuses or any(let_through(made, said) for made, said in corpus)


def test_keys_of_the_tests_are_all_different() -> None:
    assert len({*KEYS.values(), Pubkey.default()}) == len(KEYS) + 1
