"""Transactions as bytes, against eth-account, which encodes and signs on its own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import rlp
from eth_account import Account
from hypothesis import given, settings
from hypothesis import strategies as st

from chains.evm.address import checksum, keccak256
from chains.evm.transaction import Fees, UnsignedTransaction, decode_signed
from pipeline.signing.base import EvmSigner
from pipeline.signing.keystore import LocalKey
from tests.support.anvil import DEPLOYER, KEY


class Anything:
    """A policy for tests of encoding."""

    def allow(self, unsigned: Any, action: Any) -> None:
        pass


SIGNER = EvmSigner(LocalKey(KEY, "development"), Anything())

transactions = st.builds(
    UnsignedTransaction,
    chain_id=st.integers(1, 2**40),
    nonce=st.integers(0, 2**40),
    to=st.one_of(st.none(), st.binary(min_size=20, max_size=20).map(checksum)),
    value_wei=st.integers(0, 2**100),
    data=st.binary(max_size=100),
    gas_limit=st.integers(21_000, 2**40),
    fees=st.one_of(
        st.builds(Fees, max_wei=st.integers(0, 2**60), priority_wei=st.none()),
        st.tuples(st.integers(0, 2**60), st.integers(0, 2**60)).map(lambda p: Fees(max(p), min(p))),
    ),
)


@settings(max_examples=150, deadline=None)
@given(transactions)
def test_bytes_and_hash_are_eth_accounts(unsigned: UnsignedTransaction) -> None:
    fields: dict[str, Any] = {
        "chainId": unsigned.chain_id,
        "nonce": unsigned.nonce,
        "gas": unsigned.gas_limit,
        "value": unsigned.value_wei,
        "data": unsigned.data,
        "to": unsigned.to or "",
    }
    if unsigned.fees.priority_wei is None:
        fields["gasPrice"] = unsigned.fees.max_wei
    else:
        fields |= {"type": 2, "maxFeePerGas": unsigned.fees.max_wei, "maxPriorityFeePerGas": unsigned.fees.priority_wei}
    theirs = Account.sign_transaction(fields, KEY)
    ours = SIGNER.sign(unsigned, None)  # type: ignore[arg-type]
    assert ours.raw == bytes(theirs.raw_transaction)
    assert ours.hash == "0x" + bytes(theirs.hash).hex()
    assert Account.recover_transaction(ours.raw) == DEPLOYER
    decoded, (r, s, parity) = decode_signed(ours.raw)
    assert decoded == unsigned
    assert decoded.with_signature(r, s, parity) == ours


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200), st.sampled_from([b"", b"\x01", b"\x02", b"\x03", b"\x04"]))
def test_other_bytes_are_a_value_error(data: bytes, head: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        decode_signed(head + data)


LEGACY: list[Any] = [b"\x01", b"\x02", b"\x52\x08", b"\0" * 20, b"", b"", b"\x26", b"\x01", b"\x01"]
MODERN: list[Any] = [b"\x01", b"", b"", b"\x01", b"\x52\x08", b"\0" * 20, b"", b"", [], b"", b"\x01", b"\x01"]


@pytest.mark.parametrize(
    "raw",
    [
        rlp.encode([*LEGACY[:6], b"\x1b", *LEGACY[7:]]),  # no chain id: it could be replayed anywhere
        rlp.encode([*LEGACY[:3], b"\0" * 19, *LEGACY[4:]]),
        rlp.encode(LEGACY[:8]),
        rlp.encode(LEGACY) + b"\0",
        b"\x02" + rlp.encode([*MODERN[:8], [[b"\0" * 20, []]], *MODERN[9:]]),  # an access list
        b"\x02" + rlp.encode(MODERN[:11]),
        b"\x02" + rlp.encode(b"\0" * 12),
        b"\x02" + rlp.encode([[b"\x01"], *MODERN[1:]]),
        b"\x01" + rlp.encode(MODERN),
    ],
)
def test_what_ship_would_not_send_is_not_decoded(raw: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        decode_signed(raw)


def test_the_controls_decode() -> None:
    assert decode_signed(rlp.encode(LEGACY))[0].chain_id == 1
    assert decode_signed(b"\x02" + rlp.encode(MODERN))[0].gas_limit == 21_000


def test_signing_hash_covers_every_field() -> None:
    base = UnsignedTransaction(1, 2, DEPLOYER, 3, b"\x04", 50_000, Fees(6, 5))
    others = [
        UnsignedTransaction(9, 2, DEPLOYER, 3, b"\x04", 50_000, Fees(6, 5)),
        UnsignedTransaction(1, 9, DEPLOYER, 3, b"\x04", 50_000, Fees(6, 5)),
        UnsignedTransaction(1, 2, None, 3, b"\x04", 50_000, Fees(6, 5)),
        UnsignedTransaction(1, 2, DEPLOYER, 9, b"\x04", 50_000, Fees(6, 5)),
        UnsignedTransaction(1, 2, DEPLOYER, 3, b"\x09", 50_000, Fees(6, 5)),
        UnsignedTransaction(1, 2, DEPLOYER, 3, b"\x04", 90_000, Fees(6, 5)),
        replace(base, fees=Fees(9, 5)),
        replace(base, fees=Fees(6, 4)),
        replace(base, fees=Fees(6, None)),
    ]
    assert len({t.signing_hash() for t in [base, *others]}) == 10
    assert keccak256(base.payload()) == base.signing_hash()
