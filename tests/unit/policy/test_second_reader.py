"""The second reader, held against the first one's encoders: another code, the same meaning, or it is refused."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import rlp
from hypothesis import given
from hypothesis import strategies as st

from chains.evm.address import CREATE2_FACTORY, checksum, create2_address, create_address
from chains.evm.artifacts import Artifact, ByteRange
from chains.evm.createx import CREATEX, create3_address, deploy_create2, deploy_create3, guard
from chains.evm.proposal import Proposal
from chains.evm.safe.typed import SafeTx, domain_separator
from chains.evm.transaction import Fees, UnsignedTransaction
from pipeline.second_reader.contracts import Contracts
from pipeline.second_reader.proposals import proposal_difference
from pipeline.second_reader.reading import batch, read_call, read_transaction
from pipeline.second_reader.rlp import read_rlp
from pipeline.second_reader.transaction import read_unsigned
from tests.support.anvil import DEPLOYER, ROOT

NOTHING = Contracts(())
ADDRESSES = st.binary(min_size=20, max_size=20).map(checksum)
ITEMS = st.recursive(st.binary(max_size=80), lambda inner: st.lists(inner, max_size=4), max_leaves=12)
UNSIGNED = st.builds(
    UnsignedTransaction,
    chain_id=st.integers(1, 2**60),
    nonce=st.integers(0, 2**60),
    to=st.one_of(st.none(), ADDRESSES),
    value_wei=st.integers(0, 2**200),
    data=st.binary(max_size=200),
    gas_limit=st.integers(21_000, 2**40),
    fees=st.builds(Fees, st.integers(1, 2**50), st.one_of(st.none(), st.integers(0, 2**40))),
)


def test_it_shares_no_code_with_planning() -> None:
    allowed = {"chains.evm.artifacts", "chains.evm.hashing"}
    for file in (ROOT / "pipeline/second_reader").glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith(("chains", "pipeline")):
                assert node.module in allowed or node.module.startswith("pipeline.second_reader"), Path(file).name


@given(ITEMS)
def test_rlp_reads_what_another_encoder_wrote(item: Any) -> None:
    assert read_rlp(rlp.encode(item)) == item


@given(st.binary(max_size=40))
def test_rlp_has_one_form_for_one_value(data: bytes) -> None:
    try:
        item = read_rlp(data)
    except ValueError:
        return
    assert rlp.encode(item) == data


@given(UNSIGNED)
def test_every_field_is_read_from_the_bytes(unsigned: UnsignedTransaction) -> None:
    read = read_unsigned(unsigned.payload())
    assert (read.chain_id, read.nonce, read.gas_limit) == (unsigned.chain_id, unsigned.nonce, unsigned.gas_limit)
    assert (read.value_wei, read.data) == (unsigned.value_wei, unsigned.data)
    assert read.to == (unsigned.to.lower() if unsigned.to else None)


def _place(to: str | None, data: bytes, nonce: int = 0, chain_id: int = 31337) -> str:
    unsigned = UnsignedTransaction(chain_id, nonce, to, 0, data, 1, Fees(1, 1))
    deployed = read_transaction(read_unsigned(unsigned.payload()), DEPLOYER.lower(), NOTHING).deployed
    assert deployed is not None
    return deployed.address


@given(st.integers(0, 2**60))
def test_created_contracts_are_found_where_they_come_to_lie(nonce: int) -> None:
    assert _place(None, b"\x00", nonce) == create_address(DEPLOYER, nonce)


@given(
    st.one_of(
        st.binary(min_size=32, max_size=32),
        st.tuples(
            st.sampled_from([bytes.fromhex(DEPLOYER[2:]), bytes(20)]),
            st.sampled_from([b"\0", b"\1"]),
            st.binary(min_size=11, max_size=11),
        ).map(b"".join),
    ),
    st.binary(min_size=1, max_size=50),
    st.integers(1, 2**60),
)
def test_salted_contracts_are_found_where_they_come_to_lie(salt: bytes, init_code: bytes, chain_id: int) -> None:
    guarded = guard(salt, DEPLOYER, chain_id).salt
    assert _place(CREATE2_FACTORY, salt + init_code) == create2_address(CREATE2_FACTORY, salt, init_code)
    through = deploy_create2(salt, init_code)
    assert _place(CREATEX, through, chain_id=chain_id) == create2_address(CREATEX, guarded, init_code)
    assert _place(CREATEX, deploy_create3(salt, init_code), chain_id=chain_id) == create3_address(guarded)


def _artifact(**changed: Any) -> Artifact:
    abi: tuple[dict[str, Any], ...] = (
        {"type": "constructor", "inputs": [{"name": "owner", "type": "address"}]},
        {
            "type": "function",
            "name": "set",
            "inputs": [{"name": "p", "type": "tuple", "components": [{"name": "a", "type": "uint8"}]}],
        },
    )
    made = Artifact(
        "src/A.sol:A",
        "contract",
        abi,
        bytes(range(60)),
        b"",
        {"src/L.sol:L": (ByteRange(10, 20),)},
        {},
        {},
        None,
        "",
        {},
        "",
    )
    return replace(made, **changed)


def test_init_code_is_a_contract_of_the_bundle_whatever_libraries_it_was_linked_with() -> None:
    contracts = Contracts((_artifact(),))
    code = bytearray(range(60))
    code[10:30] = b"\xaa" * 20
    owner = bytes(12) + b"\xbb" * 20
    (creation,) = contracts.creations(bytes(code) + owner)
    assert creation.source == "src/A.sol:A"
    assert [(a.name, a.type, a.shown) for a in creation.arguments] == [("owner", "address", checksum(b"\xbb" * 20))]
    code[9] ^= 1
    assert list(contracts.creations(bytes(code) + owner)) == []
    code[9] ^= 1
    for tail in (owner + b"\0", owner[:-1], b"\1" + owner[1:]):
        assert list(contracts.creations(bytes(code) + tail)) == []


def test_calldata_that_is_not_encoded_the_one_way_is_no_call_of_the_function() -> None:
    from eth_abi.abi import encode
    from eth_utils.crypto import keccak

    contracts = Contracts((_artifact(),))
    data = keccak(text="set((uint8))")[:4] + encode(["(uint8)"], [(7,)])
    invocation = contracts.invocation(data)
    assert invocation is not None
    assert (invocation.signature, invocation.arguments[0].shown) == ("set((uint8))", ["7"])
    assert contracts.invocation(data + bytes(32)) is None
    assert contracts.invocation(data[:-1]) is None


def test_calls_inside_calls_are_read() -> None:
    from eth_abi.abi import encode
    from eth_utils.crypto import keccak

    inner = keccak(text="upgradeToAndCall(address,bytes)")[:4] + encode(["address", "bytes"], [DEPLOYER, b""])
    types = ["address", "uint256", "bytes", "bytes32", "bytes32", "uint256"]
    outer = keccak(text=f"schedule({','.join(types)})")[:4]
    outer += encode(types, [CREATEX, 5, inner, bytes(32), bytes(32), 60])
    call = read_call(CREATE2_FACTORY.lower(), 0, outer, NOTHING)
    assert [c.invocation.function for c in call.all() if c.invocation] == ["schedule", "upgradeToAndCall"]
    assert [(c.to, c.value_wei) for c in call.inner] == [(CREATEX, 5)]


def test_a_batch_that_delegates_or_is_cut_off_is_refused() -> None:
    one = b"\0" + b"\xaa" * 20 + (3).to_bytes(32, "big") + (2).to_bytes(32, "big") + b"hi"
    assert list(batch(one + one)) == [("0x" + "aa" * 20, 3, b"hi")] * 2
    for wrong in (b"\1" + one[1:], one[:-1], one + one[:50]):
        with pytest.raises(ValueError, match="batch"):
            list(batch(wrong))


def test_a_proposals_hash_and_calls_are_recomputed() -> None:
    tx = SafeTx(CREATEX, 4, b"\x01\x02\x03\x04", 0, 9)
    digest = "0x" + tx.hash(domain_separator(10, DEPLOYER)).hex()
    proposal = Proposal("safe.1", DEPLOYER, "1.4.1", tx, digest, ("a",), (), 1).to_json()
    actions = [{"id": "a", "to": CREATEX, "value_wei": "4", "data": "0x01020304"}]
    assert proposal_difference(proposal, actions, 10, NOTHING) is None
    assert proposal_difference(proposal, actions, 11, NOTHING) == "hash"
    for member, value in {
        "to": DEPLOYER,
        "value": "5",
        "data": "0x",
        "operation": 1,
        "nonce": 8,
        "gasPrice": "1",
    }.items():
        changed = {**proposal, "tx": {**proposal["tx"], member: value}}
        assert proposal_difference(changed, actions, 10, NOTHING) == "hash"
    for field, value in {"to": DEPLOYER, "value_wei": "5", "data": "0x01"}.items():
        assert proposal_difference(proposal, [{**actions[0], field: value}], 10, NOTHING) == "tx"
