"""The second decoder of messages, which the guard believes, held against solders' own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.hash import Hash
from solders.instruction import AccountMeta, CompiledInstruction, Instruction
from solders.message import Message, MessageHeader, MessageV0, to_bytes_versioned
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer

from chains.solana import loader
from chains.solana.fees import Budget
from chains.solana.reading import read_message
from tests.support.solana_messages import KEYS, engine_messages

# Programs the reader does not know: whatever they are told is shown as it is.
keys = st.binary(min_size=32, max_size=32).filter(lambda b: b[0] != 0 and b[:2] != b"\x02\xa8").map(Pubkey.from_bytes)
metas = st.builds(AccountMeta, keys, st.booleans(), st.booleans())
instructions = st.builds(Instruction, keys, st.binary(max_size=300), st.lists(metas, max_size=5))


def _held_against_solders(message: Message, body: bytes) -> None:
    said, header, accounts = read_message(body), message.header, message.account_keys
    assert (said.payer, said.blockhash) == (str(accounts[0]), str(message.recent_blockhash))
    assert said.signers == tuple(str(key) for key in accounts[: header.num_required_signatures])
    assert len(said.instructions) == len(message.instructions)
    for ours, theirs in zip(said.instructions, message.instructions, strict=True):
        assert ours.program == str(accounts[theirs.program_id_index])
        assert ours.data == bytes(theirs.data)
        assert ours.accounts == tuple(
            (str(accounts[i]), message.is_signer(i), i in _writable(message)) for i in theirs.accounts
        )


def _writable(message: Message) -> set[int]:
    """By the header alone: what the runtime makes of reserved keys is its own affair."""
    header, count = message.header, len(message.account_keys)
    signed = range(header.num_required_signatures - header.num_readonly_signed_accounts)
    rest = range(header.num_required_signatures, count - header.num_readonly_unsigned_accounts)
    return {*signed, *rest}


@given(keys, st.lists(instructions, max_size=6), st.binary(min_size=32, max_size=32).map(Hash.from_bytes))
def test_random_messages(payer: Pubkey, made: list[Instruction], blockhash: Hash) -> None:
    message = Message.new_with_blockhash(made, payer, blockhash)
    _held_against_solders(message, to_bytes_versioned(message))


@pytest.mark.parametrize("held", [0, 100])
@pytest.mark.parametrize("price", [0, 700])
def test_the_engines_own_messages(price: int, held: int) -> None:
    for made in engine_messages(Budget(2_000, price), held=held):
        _held_against_solders(Message.from_bytes(made.message), made.message)
        said = read_message(made.message)
        assert (said.price_micro_lamports, said.units if price else 2_000) == (price, 2_000)
        assert said.worst_lamports >= 5_000 * len(said.signers)
        assert made.action.kind == "call" or all(one.name for one in said.instructions)


@given(st.data())
def test_bytes_that_are_not_a_message_in_its_one_form_are_refused_or_mean_the_same_to_both(data: st.DataObject) -> None:
    """One byte changed, cut off or added: never another meaning than solders', and nothing but ``ValueError``."""
    body = data.draw(st.sampled_from([made.message for made in engine_messages(Budget(2_000, 700))]))
    at = data.draw(st.integers(0, len(body) - 1))
    kind = data.draw(st.sampled_from(["change", "cut", "add"]))
    other = bytes([data.draw(st.integers(0, 255))])
    changed = {"change": body[:at] + other + body[at + 1 :], "cut": body[:at], "add": body + other}[kind]
    try:
        read_message(changed)
    except ValueError:
        return
    _held_against_solders(Message.from_bytes(changed), changed)


def test_versioned_messages_are_refused() -> None:
    move = transfer(TransferParams(from_pubkey=KEYS["payer"], to_pubkey=KEYS["other"], lamports=1))
    versioned = MessageV0.try_compile(KEYS["payer"], [move], [], Hash.default())
    with pytest.raises(ValueError, match="versioned"):
        read_message(to_bytes_versioned(versioned))


def test_a_key_twice_is_refused() -> None:
    """solders takes it; to the runtime the two would be one account with two sets of rights."""
    header = MessageHeader(1, 0, 1)
    ids = [KEYS["payer"], KEYS["other"], KEYS["other"]]
    message = Message.new_with_compiled_instructions(1, 0, 1, ids, Hash.default(), [CompiledInstruction(2, b"", b"")])
    assert message.header == header
    with pytest.raises(ValueError, match="header"):
        read_message(bytes(message))


_UPGRADE = loader.upgrade(KEYS["program"], KEYS["buffer"], KEYS["authority"], KEYS["payer"])


@pytest.mark.parametrize("place", [4, 5])
def test_another_account_in_the_place_of_a_sysvar_is_refused(place: int) -> None:
    accounts = list(_UPGRADE.accounts)
    accounts[place] = AccountMeta(KEYS["other"], False, False)
    message = Message([Instruction(_UPGRADE.program_id, bytes(_UPGRADE.data), accounts)], KEYS["payer"])
    with pytest.raises(ValueError, match="other accounts"):
        read_message(bytes(message))


def test_an_account_too_many_is_refused() -> None:
    accounts = [*_UPGRADE.accounts, AccountMeta(KEYS["other"], False, True)]
    message = Message([Instruction(_UPGRADE.program_id, bytes(_UPGRADE.data), accounts)], KEYS["payer"])
    with pytest.raises(ValueError, match="other accounts"):
        read_message(bytes(message))
