"""The local Solana node's slots, heights and blockhashes, and its accounts by slot, through any history."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chains.solana.localnode.base58 import b58decode, b58encode
from chains.solana.localnode.ledger import MAX_AGE_BLOCKS, Ledger
from chains.solana.localnode.state import Account, State

GENESIS = bytes(range(32))
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("advance"), st.integers(1, 5)),
        st.tuples(st.just("fork"), st.integers(1, 8)),
        st.tuples(st.just("skip"), st.integers(1, 9)),
        st.tuples(st.just("extend"), st.integers(1, 200)),
    ),
    max_size=30,
)


def walked(steps: list[tuple[str, int]]) -> tuple[Ledger, dict[int, int]]:
    """A ledger after ``steps``, and the blocks it should hold by a model that keeps every one: height → slot."""
    ledger, blocks = Ledger.new(GENESIS), {0: 0}
    for kind, count in steps:
        top = max(blocks)
        if kind == "advance":
            for _ in range(count):
                ledger.advance()
            blocks |= {top + i: blocks[top] + i for i in range(1, count + 1)}
        elif kind == "extend":
            ledger.extend(count)
            blocks |= {top + i: blocks[top] + i for i in range(1, count + 1)}
        elif kind == "skip":
            slot = blocks[top] + count
            ledger.skip_to(slot)
            blocks[top + 1] = slot
        else:
            slot, kept = blocks[top] + 1, max(0, top - count)
            assert ledger.fork_away(count) == blocks[kept]
            blocks = {height: at for height, at in blocks.items() if height <= kept} | {kept + 1: slot}
    return ledger, blocks


@given(STEPS)
def test_heights_and_slots_are_those_of_a_chain_that_keeps_every_block(steps):
    ledger, blocks = walked(steps)
    top = max(blocks)
    assert (ledger.head, ledger.height()) == (blocks[top], top)
    assert [ledger.slot_at(height) for height in sorted(blocks)] == [blocks[height] for height in sorted(blocks)]
    slots = set(blocks.values())
    assert [slot for slot in range(ledger.head + 1) if ledger.has_block(slot)] == sorted(slots)
    assert all(ledger.height(slot) == height for height, slot in blocks.items())


@given(STEPS)
def test_a_blockhash_is_good_for_150_blocks_and_only_on_its_own_fork(steps):
    ledger, blocks = walked(steps)
    top = max(blocks)
    for height, slot in blocks.items():
        good = top - height <= MAX_AGE_BLOCKS
        assert ledger.is_valid(ledger.blockhash(slot), ledger.head) is good
    ledger.advance()  # the genesis block is on every fork
    forgotten = ledger.blockhash(ledger.head)
    ledger.fork_away(1)
    assert not ledger.is_valid(forgotten, ledger.head)


@given(STEPS)
def test_a_restart_gives_the_same_blockhashes(steps):
    ledger, blocks = walked(steps)
    again = Ledger(GENESIS, list(ledger.segments), ledger.head)
    assert all(again.blockhash(slot) == ledger.blockhash(slot) for slot in blocks.values())
    assert again.is_valid(ledger.blockhash(ledger.head), again.head)


def test_a_blockhash_of_the_head_is_not_good_where_it_has_not_been_seen():
    ledger = Ledger.new(GENESIS)
    ledger.advance()
    assert ledger.is_valid(ledger.blockhash(1), 1)
    assert not ledger.is_valid(ledger.blockhash(1), 0)


def test_time_does_not_run_backwards():
    ledger = Ledger.new(GENESIS)
    ledger.extend(5)
    with pytest.raises(ValueError, match="not after"):
        ledger.skip_to(5)


def account(lamports: int) -> Account:
    return Account(lamports, bytes(32), False, b"")


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9)), max_size=40), st.integers(0, 39))
def test_every_slot_has_its_own_accounts_until_it_is_forked_away(writes, kept):
    state, expected = State({}, 0), [dict[int, Account | None]()]
    for slot, (key, lamports) in enumerate(writes, 1):
        value = account(lamports) if lamports else None
        state.put(bytes([key]), value, slot)
        expected.append({**expected[-1], key: value})
    for slot, accounts in enumerate(expected):
        assert all(state.at(bytes([key]), slot) == accounts.get(key) for key in range(4))
    kept = min(kept, len(writes))
    state.fork_away(kept)
    assert all(state.at(bytes([key]), 99) == expected[kept].get(key) for key in range(4))
    state.root(kept)
    assert state.live(99) == {bytes([k]): a for k, a in expected[kept].items() if a is not None}


@given(st.binary(max_size=70))
def test_base58_is_that_of_a_library_no_one_here_wrote(data):
    from solders.hash import Hash

    assert b58decode(b58encode(data)) == data
    if len(data) == 32:
        assert b58encode(data) == str(Hash.from_bytes(data))


@pytest.mark.parametrize("value", [bytes(32), b"\x00" * 31 + b"\x01", b"\xff" * 32])
def test_base58_of_edges(value):
    from solders.hash import Hash

    assert b58encode(value) == str(Hash.from_bytes(value))


def test_a_letter_outside_the_alphabet_is_refused():
    with pytest.raises(ValueError, match="'0'"):
        b58decode("10")
