"""Chunks, layouts and instructions: the numbers, and that nothing is read that is not there."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from chains.solana import chunks, loader
from chains.solana.fees import Budget, limit_from, price_from
from chains.solana.layouts import (
    LOADER,
    Account,
    UnreadableAccount,
    elf_sha256,
    parse_buffer,
    parse_program,
    parse_program_data,
)
from chains.solana.transactions import MAX_BYTES, compile_message, size
from tests.support import solana_loader as independent

PAYER, BLOCKHASH = Keypair().pubkey(), str(Pubkey.new_unique())
KEYS = st.binary(min_size=32, max_size=32)


def account(data: bytes, owner: str = str(LOADER)) -> Account:
    return Account(1, owner, data, executable=False, slot=1)


def test_chunk_sizes_are_those_a_packet_allows() -> None:
    assert chunks.chunk_size(PAYER, PAYER, Budget()) == 1012
    assert chunks.chunk_size(PAYER, PAYER, Budget(3_000, 5)) == 960
    assert len(chunks.split(b"\1" * 200_000, 1012)) == 198
    assert len(chunks.split(b"\1" * 1_000_000, 1012)) == 989


@pytest.mark.parametrize("budget", [Budget(), Budget(1_400_000, 10**6)])
def test_a_full_chunk_fits_exactly(budget: Budget) -> None:
    most = chunks.chunk_size(PAYER, PAYER, budget)
    for length, fits in ((most, True), (most + 1, False)):
        write = loader.write(Pubkey.new_unique(), PAYER, 10**6, bytes(length))
        message = compile_message(PAYER, [*budget.instructions(), write], BLOCKHASH)
        assert (size(message) <= MAX_BYTES) is fits


@given(st.binary(max_size=600), st.integers(1, 64), st.data())
def test_writing_what_is_missing_makes_it_whole(elf: bytes, each: int, data: st.DataObject) -> None:
    held = bytearray(data.draw(st.binary(min_size=len(elf), max_size=len(elf))))
    for chunk in chunks.missing(elf, bytes(held), each):
        assert held[chunk.offset : chunk.offset + len(chunk.data)] != chunk.data
        held[chunk.offset : chunk.offset + len(chunk.data)] = chunk.data
    assert bytes(held) == elf
    assert chunks.split(elf, each) == chunks.missing(elf, bytes(len(elf)), each)


@given(KEYS, st.integers(0, 2**64 - 1), st.binary(max_size=50), st.booleans())
def test_layouts_read_back(key: bytes, slot: int, elf: bytes, held: bool) -> None:
    option = bytes([held]) + key
    authority = Pubkey.from_bytes(key) if held else None
    data = parse_program_data(account(struct.pack("<IQ", 3, slot) + option + elf))
    assert (data.slot, data.authority, data.elf) == (slot, authority, elf)
    buffer = parse_buffer(account(struct.pack("<I", 1) + option + elf))
    assert (buffer.authority, buffer.elf) == (authority, elf)
    assert parse_program(account(struct.pack("<I", 2) + key)).program_data == Pubkey.from_bytes(key)


@given(st.binary(max_size=80))
def test_anything_else_is_refused(data: bytes) -> None:
    for parse, kind, head in ((parse_buffer, 1, 37), (parse_program, 2, 36), (parse_program_data, 3, 45)):
        if data[:4] != struct.pack("<I", kind) or len(data) < head:
            with pytest.raises(UnreadableAccount):
                parse(account(data))
    with pytest.raises(UnreadableAccount):
        parse_buffer(account(struct.pack("<I", 1) + bytes(60), str(Pubkey.default())))
    with pytest.raises(UnreadableAccount):
        parse_buffer(account(struct.pack("<I", 1) + b"\2" + bytes(60)))


def test_zeros_at_the_end_are_room_not_program() -> None:
    assert elf_sha256(b"\x7fELF\0\0") == elf_sha256(b"\x7fELF")


def test_instructions_are_those_of_an_encoder_written_apart() -> None:
    payer, program = Keypair(), Keypair()
    theirs = independent.deploy_transactions(payer, program, bytes(range(1, 100)), BLOCKHASH, lambda n: n)
    key = payer.pubkey()
    (begin,), (write,), (last,) = theirs
    buffer = begin.message.account_keys[1]
    made = [loader.create_program(key, program.pubkey(), 36), loader.deploy(key, program.pubkey(), buffer, key, 99)]
    assert bytes(compile_message(key, made, BLOCKHASH)) == bytes(last.message)
    mine = compile_message(key, [loader.write(buffer, key, 0, bytes(range(1, 100)))], BLOCKHASH)
    assert bytes(mine) == bytes(write.message)
    up = independent.upgrade_transactions(payer, program.pubkey(), b"\1", BLOCKHASH, lambda n: n)[-1][0]
    spilled = up.message.account_keys
    theirs_data = [bytes(i.data) for i in up.message.instructions]
    upgrade = loader.upgrade(program.pubkey(), buffer, key, key)
    assert [bytes(upgrade.data)] == theirs_data
    assert len(upgrade.accounts) == 7
    assert key in spilled


@given(st.lists(st.integers(0, 10**7), max_size=50), st.integers(0, 100), st.integers(0, 10**6))
def test_the_price_is_one_that_was_paid_or_the_cap(paid: list[int], percentile: int, cap: int) -> None:
    price = price_from([{"slot": 1, "prioritizationFee": fee} for fee in paid], percentile, cap)
    assert price <= cap
    assert price in {*paid, cap, 0}
    assert price_from(["rubbish", {"prioritizationFee": -1}, None], percentile, cap) == 0


def test_fees_are_rounded_up() -> None:
    assert Budget(1, 1).lamports(2) == 10_001
    assert limit_from(2_370) == 3_107
