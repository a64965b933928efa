"""Squads messages and accounts: what goes in comes out, and nothing is read that is not there. The fake is what its source gives."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from chains.solana.layouts import Account
from chains.solana.squads.accounts import parse_multisig
from chains.solana.squads.addresses import SQUADS, multisig_address, vault_address
from chains.solana.squads.message import (
    Compiled,
    Lookup,
    MessageTooLarge,
    Reader,
    Unreadable,
    VaultMessage,
    compile_vault_message,
)
from chains.solana.squads.vaults import NotAVault, find_vault
from tests.support.missing import missing
from tests.support.solana_node import ROOT
from tests.support.squads import FAKE, multisig_data

KEYS = st.binary(min_size=32, max_size=32).map(Pubkey.from_bytes)
METAS = st.builds(AccountMeta, KEYS, st.booleans(), st.booleans())
MADE = st.builds(Instruction, KEYS, st.binary(max_size=300), st.lists(METAS, max_size=8))
CREATE = Pubkey.from_bytes(bytes([9]) * 32)


@given(KEYS, st.lists(MADE, max_size=4), st.booleans())
def test_a_message_comes_back_in_both_encodings(vault, made, compact) -> None:
    message = compile_vault_message(vault, made)
    reader = Reader(message.compact() if compact else message.borsh(), "message")
    assert VaultMessage.read(reader, compact=compact) == message
    assert reader.rest == b""
    back = message.decompiled()
    assert [(one.program_id, bytes(one.data)) for one in back] == [(one.program_id, bytes(one.data)) for one in made]
    for ours, given_ in zip(back, made, strict=True):
        assert [meta.pubkey for meta in ours.accounts] == [meta.pubkey for meta in given_.accounts]
        for held, asked in zip(ours.accounts, given_.accounts, strict=True):
            assert held.is_signer >= asked.is_signer
            assert held.is_writable >= asked.is_writable


@given(KEYS, st.lists(MADE, max_size=3), st.data())
def test_a_message_cut_short_or_pointing_outside_is_not_read(vault, made, data) -> None:
    message = compile_vault_message(vault, made)
    for body, compact in ((message.compact(), True), (message.borsh(), False)):
        cut = data.draw(st.integers(0, len(body) - 1))
        with pytest.raises(Unreadable):
            VaultMessage.read(Reader(body[:cut], "message"), compact=compact)
    wild = VaultMessage(1, 1, 0, message.keys, (Compiled(len(message.keys), b"", b""),))
    with pytest.raises(Unreadable):
        VaultMessage.read(Reader(wild.compact(), "message"), compact=True)


def test_lookups_are_read_and_never_guessed_at() -> None:
    table = Keypair().pubkey()
    message = VaultMessage(1, 1, 0, (CREATE,), (Compiled(2, b"\1", b"x"),), (Lookup(table, b"\0", b"\5"),))
    assert VaultMessage.read(Reader(message.borsh(), "message")) == message
    with pytest.raises(Unreadable):
        message.decompiled()


def test_a_message_with_more_than_a_byte_counts_is_refused() -> None:
    keys = [AccountMeta(Keypair().pubkey(), False, False) for _ in range(255)]
    with pytest.raises(MessageTooLarge):
        compile_vault_message(CREATE, [Instruction(CREATE, b"", keys)])
    many = [Instruction(CREATE, b"", [AccountMeta(CREATE, False, False)] * 256)]
    with pytest.raises(MessageTooLarge):
        compile_vault_message(CREATE, many).compact()


def multisig(data: bytes, owner: Pubkey = SQUADS, address: Pubkey | None = None) -> None:
    parse_multisig(str(address or multisig_address(CREATE)[0]), Account(1, str(owner), data, False, 0))


ONE, TWO = Keypair().pubkey(), Keypair().pubkey()
GOOD = multisig_data(CREATE, 1, [(ONE, 7), (TWO, 7)], 0, 5, 0)
BAD: dict[str, tuple[object, ...]] = {
    "another owner": (GOOD, CREATE),
    "another address": (GOOD, SQUADS, TWO),
    "another kind": (b"\0" * 8 + GOOD[8:],),
    "a threshold nobody reaches": (multisig_data(CREATE, 3, [(ONE, 7), (TWO, 7)], 0, 5, 0),),
    "no threshold": (multisig_data(CREATE, 0, [(ONE, 7)], 0, 5, 0),),
    "a member twice": (multisig_data(CREATE, 1, [(ONE, 7), (ONE, 7)], 0, 5, 0),),
    "an unknown permission": (multisig_data(CREATE, 1, [(ONE, 15)], 0, 5, 0),),
    "stale past the newest": (multisig_data(CREATE, 1, [(ONE, 7)], 0, 5, 6),),
    "cut short": (GOOD[:150],),
}


def test_a_multisig_is_read() -> None:
    multisig(GOOD)


@pytest.mark.parametrize("what", BAD)
def test_what_is_no_multisig_is_not_taken_for_one(what) -> None:
    with pytest.raises(Unreadable) as stopped:
        multisig(*BAD[what])  # type: ignore[arg-type]
    assert stopped.value.exit_code == 4


@given(st.integers(0, 255))
def test_a_vault_is_found_by_its_address(index) -> None:
    address = multisig_address(CREATE)[0]
    assert find_vault(str(address), str(vault_address(address, index)[0])) == index


def test_the_multisig_itself_is_no_vault() -> None:
    address = str(multisig_address(CREATE)[0])
    with pytest.raises(NotAVault):
        find_vault(address, address)


def test_the_fakes_source_gives_the_committed_bytes(tmp_path) -> None:
    if shutil.which("clang-19") is None:
        missing("clang-19 is missing: apt-get install clang-19")
    made = tmp_path / "fake.so"
    subprocess.run([ROOT / "scripts/solana/build-squads-fake", made], check=True, capture_output=True, timeout=120)
    assert made.read_bytes() == FAKE.read_bytes()
