"""What travels to and from a machine without a network: nothing in it is believed that its bytes do not show."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.keypair import Keypair

from chains.canonical import digest
from chains.evm.actions import EvmPlan
from chains.evm.address import checksum
from chains.evm.proxies import encode_call
from chains.evm.transaction import Fees, UnsignedTransaction, decode_signed, decode_unsigned
from pipeline.plan import Plan
from pipeline.signing.base import PolicyRefused
from pipeline.signing.keystore import LocalKey
from pipeline.signing.offline.files import FileRefused, Request, RequestedTransaction, read_request, read_signed
from pipeline.signing.offline.formats import cast_lines, read_cast_lines, read_solana_lines, solana_lines
from pipeline.signing.offline.signing import OtherKey, RequestExpired, checked, sign_request
from pipeline.signing.offline.summary import render_request
from tests.support.anvil import DEPLOYER, KEY
from tests.support.contracts import COUNTER, Workshop

FEES = Fees(3_000_000_000, 1_000_000)
REGISTRY = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
TRANSFER = {"type": "function", "name": "transferOwnership", "inputs": [{"name": "newOwner", "type": "address"}]}

uints = st.integers(0, 2**64 - 1)
fees = st.builds(Fees, st.integers(0, 2**128), st.one_of(st.none(), st.integers(0, 2**64)))
unsigned_transactions = st.builds(
    UnsignedTransaction,
    chain_id=st.integers(1, 2**63 - 1),
    nonce=uints,
    to=st.one_of(st.none(), st.binary(min_size=20, max_size=20).map(checksum)),
    value_wei=st.integers(0, 2**256 - 1),
    data=st.binary(max_size=300),
    gas_limit=uints,
    fees=fees,
)


@given(unsigned_transactions)
def test_unsigned_bytes_decode_to_what_made_them(unsigned: UnsignedTransaction) -> None:
    assert decode_unsigned(unsigned.payload()) == unsigned


@given(unsigned_transactions, st.integers(0, 10_000), st.integers(0, 255))
def test_no_other_bytes_decode_to_the_same(unsigned: UnsignedTransaction, at: int, byte: int) -> None:
    payload = bytearray(unsigned.payload())
    payload[at % len(payload)] = byte
    try:
        found = decode_unsigned(bytes(payload))
    except ValueError:
        return
    assert found.payload() == bytes(payload)


def _request() -> Request:
    workshop = Workshop(DEPLOYER, 4)
    workshop.create("First", COUNTER)
    workshop.call("hand", REGISTRY, encode_call("transferOwnership", ["address"], [DEPLOYER]))
    body: EvmPlan = workshop.plan(31337, "0x" + "00" * 32, 0)[0]
    zero = "0" * 64
    plan = Plan("p", "1.0.0", "local", None, False, zero, zero, zero, body)
    transactions = tuple(
        RequestedTransaction(a.id, UnsignedTransaction(31337, a.nonce, a.to, a.value_wei, a.data, a.gas_limit, FEES))
        for a in body.actions
    )
    now = datetime.now(UTC)
    times = [t.strftime("%Y-%m-%dT%H:%M:%S+00:00") for t in (now, now + timedelta(hours=1))]
    return Request(plan, DEPLOYER, "ETH", times[0], times[1], transactions, (TRANSFER,), {})


def _written(tmp_path: Path, request: Request) -> Path:
    path = tmp_path / "request.json"
    request.write(path)
    return path


def test_a_request_is_signed_as_it_was_asked(tmp_path: Path) -> None:
    path = _written(tmp_path, _request())
    request = checked(read_request(path), path)
    assert request == _request().__class__.from_json(json.loads(path.read_text()))
    signed = sign_request(request, LocalKey(KEY, "keystore"))
    assert [decode_signed(raw)[0] for _, raw in signed.transactions] == [t.unsigned for t in request.transactions]
    signed.write(tmp_path / "request.signed.json")
    assert read_signed(tmp_path / "request.signed.json") == signed
    assert read_cast_lines(cast_lines(raw for _, raw in signed.transactions)) == tuple(
        raw for _, raw in signed.transactions
    )


def test_the_summary_says_what_the_bytes_say() -> None:
    text = render_request(_request())
    assert "transferOwnership(address)" in text
    assert f"newOwner = {DEPLOYER}" in text
    assert "3 gwei at most (tip 0.001 gwei)" in text
    assert "0.0009 ETH together" in text  # (200,000 + 100,000) gas at 3 gwei


@pytest.mark.parametrize(
    "entry",
    [
        {**TRANSFER, "name": "harmless"},
        {**TRANSFER, "inputs": [{"name": "newOwner", "type": "uint256"}]},
        {**TRANSFER, "inputs": []},
        {"name": "transferOwnership"},
    ],
    ids=str,
)
def test_a_name_that_does_not_fit_the_bytes_is_not_shown(entry: Any) -> None:
    text = render_request(replace(_request(), abi=(entry,)))
    assert "unknown here" in text
    assert "harmless" not in text


def test_a_name_with_control_characters_is_shown_escaped() -> None:
    entry = {**TRANSFER, "inputs": [{"name": "x\x1b[2J\nvalue     0", "type": "address"}]}
    text = render_request(replace(_request(), abi=(entry,)))
    assert "\x1b" not in text
    assert "\nvalue     0" not in text


def _bent(data: dict[str, Any], *path: Any, value: Any, resealed: bool) -> dict[str, Any]:
    bent = json.loads(json.dumps(data))
    place = bent
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    if resealed:
        bent["sha256"] = digest({k: v for k, v in bent.items() if k != "sha256"})
    return bent


@pytest.mark.parametrize("resealed", [False, True])
@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("transactions", 0, "signing_hash"), "0x" + "11" * 32),
        (("transactions", 1, "payload"), "0x02c0"),
        (("plan_sha256",), "0" * 64),
        (("plan", "body", "actions", 1, "to"), DEPLOYER),
        (("plan", "version"), "6.6.6"),
        (("more",), 1),
    ],
    ids=str,
)
def test_a_request_that_was_changed_is_refused(tmp_path: Path, path: Any, value: Any, resealed: bool) -> None:
    """Also when whoever changed it wrote the right sha256 over it."""
    file = tmp_path / "bent.json"
    file.write_text(json.dumps(_bent(_request().to_json(), *path, value=value, resealed=resealed)))
    with pytest.raises(FileRefused):
        read_request(file)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b'{"schema": 2}', b"[" * 5000], ids=repr)
def test_a_file_that_is_no_request_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(FileRefused):
        read_request(tmp_path / "x.json")
    with pytest.raises(FileRefused):
        read_signed(tmp_path / "x.json")


def test_what_the_plan_does_not_hold_is_not_signed(tmp_path: Path) -> None:
    """A well-formed request, its hashes right, that asks for more than the plan it carries."""
    request = _request()
    first, second = request.transactions
    more = replace(second, unsigned=replace(second.unsigned, value_wei=1))
    other = replace(second, action="other")
    for asked, error in (((first, more), PolicyRefused), ((first, other), FileRefused), ((first, first), FileRefused)):
        path = _written(tmp_path, replace(request, transactions=asked))
        with pytest.raises(error):
            checked(read_request(path), path)
    for changed in (replace(request, signer=REGISTRY), replace(request, transactions=())):
        path = _written(tmp_path, changed)
        with pytest.raises(FileRefused):
            checked(read_request(path), path)


def test_an_old_request_and_another_key_are_refused(tmp_path: Path) -> None:
    path = _written(tmp_path, _request())
    request = read_request(path)
    with pytest.raises(RequestExpired):
        checked(request, path, datetime.now(UTC) + timedelta(hours=2))
    with pytest.raises(OtherKey):
        sign_request(request, LocalKey(b"\x07" * 32, "keystore"))


@pytest.mark.parametrize("text", ["", "\n", "0x", "0x02c0", "hello", "0xzz"])
def test_lines_that_are_no_raw_transactions_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"line 1|no raw"):
        read_cast_lines(text)


@given(st.binary(max_size=100), st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=3, unique=True))
def test_solana_signatures_come_back_as_they_went(message: bytes, seeds: list[bytes]) -> None:
    keys = [Keypair.from_seed(seed) for seed in seeds]
    signatures = {bytes(key.pubkey()): bytes(key.sign_message(message)) for key in keys}
    text = "Blockhash: 4vJ9\n\nSigners (Pubkey=Signature):\n " + solana_lines(signatures)
    assert read_solana_lines(text, message) == signatures
    with pytest.raises(ValueError, match=r"not .* over this message"):
        read_solana_lines(text, message + b"x")


@pytest.mark.parametrize("text", ["", "a=b", "=", "11111111111111111111111111111111="])
def test_solana_lines_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"line 1|no PUBKEY"):
        read_solana_lines(text, b"x")
