"""What is never signed for a Safe, whoever asks: everything but the approved plan's own proposals."""

from __future__ import annotations

from dataclasses import replace

import pytest
from eth_account import Account

from chains.evm.actions import Action, EvmPlan
from chains.evm.proposal import Proposal
from chains.evm.safe.lifecycle import Nested, ProposalState
from chains.evm.safe.signatures import approved, from_bytes, pack
from chains.evm.safe.typed import SafeTx, approve_hash, domain_separator, exec_calldata
from chains.evm.transaction import Fees, UnsignedTransaction
from pipeline.proposals.parts import parts
from pipeline.signing.base import PolicyRefused
from pipeline.signing.carried import CarriedPolicy, gas_allowed
from pipeline.signing.keystore import LocalKey
from pipeline.signing.policy import PlanPolicy
from pipeline.signing.safe_tx import SafeTxSigner

KEY = bytes([7]) * 32
OWNER = Account.from_key(KEY).address
SAFE = "0x1111111111111111111111111111111111111111"
INNER = "0x2222222222222222222222222222222222222222"
PROXY = "0x3333333333333333333333333333333333333333"
TX = SafeTx(PROXY, 0, b"upgrade", 0, 4)


def _action(name: str, nonce: int, kind: str = "call", **fields: object) -> Action:
    return Action(name, "Unit", kind, name, nonce, PROXY, 0, name.encode(), gas_limit=100_000, **fields)  # type: ignore[arg-type]


def _plan(*after: Action) -> EvmPlan:
    proposal = Proposal("safe.1", SAFE, "1.4.1", TX, "0x" + "ab" * 32, ("up",), (OWNER, INNER), 2)
    upgrade = replace(_action("up", 6, "proposal", by=SAFE), data=b"upgrade")
    chain = {"name": "local", "id": 31337, "genesis_hash": "0x00"}
    return EvmPlan(chain, OWNER, (_action("first", 5), upgrade, *after), (), (), {}, {}, {}, (proposal,))


@pytest.fixture
def signer() -> SafeTxSigner:
    return SafeTxSigner(LocalKey(KEY, "test"), _plan())


@pytest.mark.parametrize("nonce", [4, 9])
def test_the_plans_proposal_is_signed_also_with_a_nonce_that_moved_on(signer: SafeTxSigner, nonce: int) -> None:
    digest = TX.with_nonce(nonce).hash(domain_separator(31337, SAFE))
    assert from_bytes(digest, signer.sign("safe.1", TX.with_nonce(nonce))).owner == OWNER


@pytest.mark.parametrize(
    "other",
    [
        {"to": INNER}, {"value_wei": 1}, {"data": b"upgrade!"}, {"operation": 1}, {"nonce": 3}, {"safe_tx_gas": 1},
        {"base_gas": 1}, {"gas_price_wei": 1}, {"gas_token": INNER}, {"refund_receiver": INNER},
    ],
    ids=lambda fields: next(iter(fields)),
)  # fmt: skip
def test_a_transaction_that_differs_in_any_field_is_refused(signer: SafeTxSigner, other: dict[str, object]) -> None:
    with pytest.raises(PolicyRefused):
        signer.sign("safe.1", replace(TX, **other))  # type: ignore[arg-type]


def test_only_proposals_of_the_plan_are_signed(signer: SafeTxSigner) -> None:
    with pytest.raises(PolicyRefused, match="not a proposal of the plan"):
        signer.sign("safe.2", TX)


def test_a_nested_approval_is_signed_only_of_the_proposals_own_hash(signer: SafeTxSigner) -> None:
    digest = TX.hash(domain_separator(31337, SAFE))
    approval = SafeTx(SAFE, 0, approve_hash(digest), 0, 12)
    signed = signer.sign_nested("safe.1", TX, INNER, approval)
    assert from_bytes(approval.hash(domain_separator(31337, INNER)), signed).owner == OWNER
    for wrong in (
        replace(approval, data=approve_hash(bytes(32))),
        replace(approval, to=PROXY),
        replace(approval, operation=1),
    ):
        with pytest.raises(PolicyRefused, match="not an approval"):
            signer.sign_nested("safe.1", TX, INNER, wrong)


# -- executions ------------------------------------------------------------------------------------------------------


def _execution(tx: SafeTx = TX, to: str = SAFE, gas_limit: int = 300_000, name: str = "safe.1.execute") -> Action:
    return replace(_action(name, 6), to=to, data=exec_calldata(tx, pack([approved(OWNER)])), gas_limit=gas_limit)


def _allow(action: Action, approved_plan: EvmPlan | None = None) -> None:
    plan = approved_plan or _plan()
    digest = TX.with_nonce(8).hash(domain_separator(31337, SAFE))
    nested = Nested(INNER, SafeTx(SAFE, 0, approve_hash(digest), 0, 1), "0x" + "cd" * 32)
    state = ProposalState("safe.1", "made", TX.with_nonce(8), "0x" + digest.hex(), nested=(nested,))
    policy = CarriedPolicy(plan, PlanPolicy.of(replace(plan, actions=(action,))), {"safe.1": state})
    unsigned = UnsignedTransaction(
        31337, action.nonce, action.to, action.value_wei, action.data, action.gas_limit, Fees(1, 1)
    )
    policy.allow(unsigned, action)


def test_an_execution_of_the_plans_proposal_is_allowed_and_of_nothing_else() -> None:
    _allow(_execution())
    digest = TX.with_nonce(8).hash(domain_separator(31337, SAFE))
    _allow(_execution(SafeTx(SAFE, 0, approve_hash(digest), 0, 1), INNER, name="safe.1.approve"))
    for wrong in (
        _execution(replace(TX, data=b"other")),
        _execution(to=INNER),
        _execution(gas_limit=gas_allowed(_plan(), "safe.1") + 1),
        _execution(name="safe.2.execute"),
        _execution(SafeTx(SAFE, 0, approve_hash(bytes(32)), 0, 1), INNER, name="safe.1.approve"),
        replace(_execution(), value_wei=1),
        replace(_execution(), data=b"upgrade"),
    ):
        with pytest.raises(PolicyRefused):
            _allow(wrong)


def test_a_proposal_is_never_sent_as_a_transaction() -> None:
    upgrade = replace(_action("up", 6), data=b"upgrade")
    with pytest.raises(PolicyRefused, match="a proposal, not a transaction"):
        _allow(upgrade)


def test_transactions_move_by_executions_but_contracts_keep_their_address() -> None:
    later, create = _action("later", 6), replace(_action("new", 7, "create"), to=None, address=INNER)
    _allow(replace(later, nonce=7), _plan(later))
    with pytest.raises(PolicyRefused, match="rests on another nonce"):
        _allow(replace(create, nonce=8), _plan(create))
    with pytest.raises(PolicyRefused, match="not what the plan holds"):
        _allow(replace(later, data=b"other"), _plan(later))


def test_a_plan_falls_into_parts_at_its_proposals() -> None:
    first, proposed, rest = parts(_plan(_action("later", 6)))
    assert [a.id for a in first.actions] == ["first"]
    assert [p.id for p in proposed.proposals] == ["safe.1"]
    assert proposed.movable
    assert rest.before == ("safe.1",)
    assert rest.moved(1)[0].nonce == 7
    assert not parts(_plan(_action("later", 6, "create")))[1].movable
