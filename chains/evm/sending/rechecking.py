"""What earlier runs called final, held against the chain once more: a reorganization may go deeper than the rule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chains.base import Clock
from chains.evm.lifecycle import TxState
from chains.evm.looking import Looking
from chains.evm.node import block_hash, quantity
from chains.evm.sending.book import Book
from chains.evm.sending.settings import SendSettings
from chains.rpc import Request

__all__ = ["reopen_what_is_gone"]


def reopen_what_is_gone(looking: Looking, book: Book, clock: Clock, settings: SendSettings) -> None:
    """Write down as reorganized away what is final by the journal and in no canonical block by every provider's word.

    It goes on as any transaction that a reorganization took: with the same bytes. One batch where all is well. A block
    that is merely not shown proves nothing (design law 3), and another chain has other blocks everywhere: raises
    ``ChainChanged``.
    """
    rpc = looking.rpc
    final = [s for s in book.states.values() if s.stage == "final" and s.mined and s.attempts]
    if not _gone(final, rpc.read_all(_headers(final))) or not looking.confirm_chain():
        return
    if rpc.alone:
        clock.sleep_s(settings.second_look_s)
    answers: dict[int, list[str]] = {}
    for method, params in _headers(final):
        number = int(params[0], 16)
        answers[number] = [h for h in (_hash(a, number) for a in rpc.ask_each(method, params)) if h]
    needed = 1 if rpc.alone else 2
    gone = []
    for state in final:
        assert state.mined
        shown = answers[state.mined.block_number]
        if len(shown) >= needed and state.mined.block_hash not in shown:
            gone.append(state.action)
    actions = [a for a in book.plan.actions if a.id in gone]
    book.write_all([("tx.reorged", a, {"hash": book.states[a.id].attempts[-1].hash}) for a in actions])


def _headers(states: Sequence[TxState]) -> list[Request]:
    numbers = sorted({s.mined.block_number for s in states if s.mined})
    return [("eth_getBlockByNumber", [hex(number), False]) for number in numbers]


def _gone(states: Sequence[TxState], blocks: Sequence[Any]) -> bool:
    numbers = sorted({s.mined.block_number for s in states if s.mined})
    shown = {number: _hash(block, number) for number, block in zip(numbers, blocks, strict=True)}
    return any(shown[s.mined.block_number] not in {None, s.mined.block_hash} for s in states if s.mined)


def _hash(block: Any, number: int) -> str | None:
    try:
        return block_hash(block["hash"]) if quantity(block["number"]) == number else None
    except (ValueError, KeyError, TypeError):
        return None
