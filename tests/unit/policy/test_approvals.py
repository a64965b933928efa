"""An approval is typed data of one plan, signed by a named key, and nothing less counts."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from hypothesis import given
from hypothesis import strategies as st

from chains.evm.actions import EvmPlan
from pipeline.approvals.files import Approval, ApprovalsInvalid, approvals_path, load_approvals, save_approvals
from pipeline.approvals.judging import judge
from pipeline.approvals.message import ApprovalMessage
from pipeline.manifest.policy_spec import PolicySpec
from pipeline.plan import Plan
from pipeline.signing.base import SECP256K1_N
from pipeline.signing.keystore import LocalKey
from pipeline.signing.typed import typed_signature
from tests.support.anvil import DEPLOYER
from tests.support.anvil import KEY as DEPLOYER_KEY

ROOT = Path(__file__).resolve().parents[3]
ALICE, BOB = bytes([1]) * 32, bytes([2]) * 32
NOW_S = 1_800_000_000
CHAIN = {"name": "base", "id": 8453, "genesis_hash": "0x" + "ab" * 32}
BODY = EvmPlan(CHAIN, DEPLOYER, (), (), (), {}, {}, {})
PLAN = Plan("acme", "1.0.0", "base", None, False, "bb" * 32, "cc" * 32, "dd" * 32, BODY)


def address(key: bytes) -> str:
    return str(Account.from_key(key).address)


def policy(**more: Any) -> PolicySpec:
    listed = {"alice": address(ALICE), "bob": address(BOB)}
    return PolicySpec.model_validate({"approvals": 2, "approvers": listed, **more})


def approval(name: str = "alice", key: bytes = ALICE, of: Plan = PLAN, expires: int = NOW_S + 3_600) -> Approval:
    message = ApprovalMessage.of(of, expires)
    return Approval(name, address(key), message, typed_signature(LocalKey(key, "test"), message))


def why(given: Approval, spec: PolicySpec | None = None, now_s: float | None = NOW_S) -> str:
    judged = judge([given], PLAN, spec or policy(), now_s=now_s)
    assert not judged.valid
    return judged.refused[0]


@given(
    st.binary(min_size=32, max_size=32), st.text(min_size=1, max_size=20), st.integers(1, 2**63), st.integers(0, 2**63)
)
def test_the_digest_is_the_one_wallets_compute(plan: bytes, target: str, chain_id: int, expires: int) -> None:
    word = "0x" + plan.hex()
    message = ApprovalMessage(word, target, chain_id, word, "1.0.0-rc.1", word, DEPLOYER, expires)
    signed = Account.sign_message(encode_typed_data(full_message=message.typed_data()), ALICE)
    ours = typed_signature(LocalKey(ALICE, "test"), message)
    assert ours == bytes(signed.signature)


def test_approvals_of_named_people_count() -> None:
    judged = judge([approval(), approval("bob", BOB)], PLAN, policy(), now_s=NOW_S)
    assert judged.names == ("alice", "bob")
    assert judged.refused == ()


CHANGES: dict[str, Any] = {
    "plan": "0x" + "11" * 32, "target": "optimism", "chain_id": 1, "genesis": "0x" + "22" * 32, "version": "1.0.1",
    "bundle": "0x" + "33" * 32, "deployer": address(BOB),
}  # fmt: skip


@pytest.mark.parametrize("field", CHANGES)
def test_an_approval_of_anything_else_does_not_count(field: str) -> None:
    message = replace(approval().message, **{field: CHANGES[field]})
    other = Approval("alice", address(ALICE), message, typed_signature(LocalKey(ALICE, "test"), message))
    assert "it is of another plan" in why(other)
    assert "it is of another plan" in why(replace(approval(), message=message))


def test_another_plan_that_differs_in_one_byte_needs_its_own_approvals() -> None:
    assert "its plan differs" in why(approval(of=replace(PLAN, inputs="cd" * 32)))


def test_who_is_not_listed_or_signs_for_another_does_not_count() -> None:
    assert "no approver of that name" in why(approval("mallory", b"\x07" * 32))
    assert "it was signed by" in why(approval("alice", BOB))
    assert "it was signed by" in why(replace(approval("alice", BOB), address=address(ALICE)))


def test_one_person_counts_once() -> None:
    judged = judge([approval(), approval(expires=NOW_S + 60)], PLAN, policy(), now_s=NOW_S)
    assert judged.names == ("alice",)
    assert "second by the same approver" in judged.refused[0]


def test_an_approval_has_its_time() -> None:
    assert "has expired" in why(approval(expires=NOW_S))
    assert "longer than" in why(approval(expires=NOW_S + 86_400 + 601))
    assert judge([approval(expires=NOW_S)], PLAN, policy(), now_s=None).names == ("alice",)


def test_the_deployer_approves_only_where_that_is_said() -> None:
    listed = {"approvers": {"deployer": DEPLOYER, "bob": address(BOB)}}
    own = approval("deployer", DEPLOYER_KEY)
    assert "may not approve" in why(own, policy(**listed))
    allowed = policy(**listed, **{"deployer-may-approve": True})
    assert judge([own], PLAN, allowed, now_s=NOW_S).names == ("deployer",)


def test_a_signature_has_one_form() -> None:
    good = approval()
    r, s, v = good.signature[:32], int.from_bytes(good.signature[32:64], "big"), good.signature[64]
    high = r + (SECP256K1_N - s).to_bytes(32, "big") + bytes([55 - v])
    for signature in (
        high,
        good.signature[:64],
        good.signature + b"\0",
        good.signature[:64] + bytes([v - 27]),
        bytes(65),
    ):
        assert "signature is refused" in why(replace(good, signature=signature))
    for at in range(64):
        flipped = bytearray(good.signature)
        flipped[at] ^= 1
        assert why(replace(good, signature=bytes(flipped)))


def test_a_file_of_approvals_is_canonical_and_fits_its_schema(tmp_path: Path) -> None:
    path = approvals_path(tmp_path / "plan.json")
    assert path.name == "plan.approvals.json"
    save_approvals(path, [approval(), approval("bob", BOB)])
    document = json.loads(path.read_text())
    schema = json.loads((ROOT / "docs/schema/approvals.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(document)
    assert load_approvals(path) == [approval(), approval("bob", BOB)]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(schema).validate({**document, "more": 1})


@pytest.mark.parametrize(
    "change",
    [
        {"schema": 2}, {"kind": "contract-ship/plan"}, {"more": 1}, {"approvals": [{}]}, {"approvals": 1},
        {"approvals": [{**approval().to_json(), "signature": "0xzz"}]},
        {"approvals": [{**approval().to_json(), "message": {}}]},
        {"approvals": [{**approval().to_json(), "message": {**approval().message.to_json(), "expires": True}}]},
        {"approvals": [approval().to_json()] * 201},
    ],
)  # fmt: skip
def test_another_file_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    path = tmp_path / "plan.approvals.json"
    save_approvals(path, [approval()])
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(ApprovalsInvalid):
        load_approvals(path)
