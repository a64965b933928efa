"""Safe transactions: the hash every wallet computes, the packing a Safe checks, batches that cannot delegate further."""

from __future__ import annotations

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct, encode_typed_data
from hypothesis import given
from hypothesis import strategies as st

from chains.errors import Refused
from chains.evm.address import checksum
from chains.evm.safe.builder import typed_data
from chains.evm.safe.multisend import InnerCall, multisend_calldata, unpack
from chains.evm.safe.signatures import approved, by_contract, from_bytes, pack
from chains.evm.safe.typed import SafeTx, approve_hash, decode_exec, domain_separator, exec_calldata

KEYS = [bytes([n]) * 32 for n in (1, 2, 3)]
OWNERS = [Account.from_key(key).address for key in KEYS]
SAFE = checksum("0x" + "5a" * 20)
addresses = st.binary(min_size=20, max_size=20).map(checksum)
amounts = st.integers(0, 2**256 - 1)
transactions = st.builds(
    SafeTx, addresses, amounts, st.binary(max_size=200), st.sampled_from((0, 1)), amounts, amounts, amounts, amounts,
    addresses, addresses,
)  # fmt: skip


@given(tx=transactions, chain_id=st.integers(1, 2**63), safe=addresses)
def test_the_hash_is_the_one_eth_account_gives_the_typed_data(tx: SafeTx, chain_id: int, safe: str) -> None:
    document = typed_data(chain_id, safe, tx)
    document["message"] = {
        **document["message"],
        **{key: int(value) for key, value in document["message"].items() if str(value).isdigit()},
    }
    message = encode_typed_data(full_message=document)
    assert message.header == domain_separator(chain_id, safe)
    assert message.body == tx.struct_hash()


@given(tx=transactions, signatures=st.binary(max_size=200))
def test_execution_calldata_decodes_to_what_was_encoded(tx: SafeTx, signatures: bytes) -> None:
    assert decode_exec(exec_calldata(tx, signatures), tx.nonce) == (tx, signatures)
    assert SafeTx.from_json(tx.to_json()) == tx


def test_execution_calldata_with_anything_behind_it_is_refused() -> None:
    data = exec_calldata(SafeTx(SAFE, 0, b"", 0, 0), b"")
    with pytest.raises(ValueError, match="canonically"):
        decode_exec(data + bytes(32), 0)
    with pytest.raises(ValueError, match="not an execTransaction"):
        decode_exec(approve_hash(bytes(32)), 0)


def test_signatures_are_recovered_by_kind_and_packed_by_owner() -> None:
    digest = SafeTx(SAFE, 1, b"x", 0, 7).hash(domain_separator(1, SAFE))
    plain = Account.unsafe_sign_hash(digest, KEYS[0]).signature
    personal = Account.sign_message(encode_defunct(digest), KEYS[1]).signature
    personal = bytes(personal[:64]) + bytes([personal[64] + 4])
    kept = [from_bytes(digest, bytes(plain)), from_bytes(digest, personal), approved(OWNERS[2])]
    assert [s.owner for s in kept] == OWNERS
    assert [s.kind for s in kept] == ["eip712", "eth_sign", "approved"]
    packed = pack(kept)
    order = [from_bytes(digest, packed[i : i + 65]).owner for i in range(0, 195, 65)]
    assert order == sorted(OWNERS, key=str.lower)
    with pytest.raises(ValueError, match="one owner"):
        pack([*kept, approved(OWNERS[0])])
    with pytest.raises(ValueError, match="unknown kind"):
        from_bytes(digest, bytes(64) + b"\x05")


def test_a_contracts_signature_lies_behind_the_fixed_part() -> None:
    packed = pack([approved(OWNERS[0]), by_contract(SAFE, b"inner signature")])
    at = packed.index(bytes.fromhex(SAFE[2:])) - 12
    assert packed[at + 64] == 0
    offset = int.from_bytes(packed[at + 32 : at + 64], "big")
    assert offset == 130
    assert packed[offset:] == (15).to_bytes(32, "big") + b"inner signature"


@given(st.lists(st.builds(InnerCall, addresses, amounts, st.binary(max_size=100)), min_size=1, max_size=5))
def test_batches_unpack_to_their_calls(calls: list[InnerCall]) -> None:
    assert unpack(multisend_calldata(calls)) == calls


def test_a_batch_that_delegates_is_refused() -> None:
    data = bytearray(multisend_calldata([InnerCall(SAFE, 0, b"")]))
    data[4 + 64] = 1
    with pytest.raises(ValueError, match="other than CALL"):
        unpack(bytes(data))


def test_refusals_are_refusals() -> None:
    from chains.evm.safe.multisend import NoMultiSend
    from chains.evm.safe.reading import SafeUnsupported

    assert issubclass(NoMultiSend, Refused)
    assert issubclass(SafeUnsupported, Refused)
