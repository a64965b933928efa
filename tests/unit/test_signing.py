"""The one path every signature takes: the plan's own transactions, by the pinned key, or none."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest
from eth_account import Account

from chains.evm.actions import Action, EvmPlan
from chains.evm.transaction import Fees, UnsignedTransaction, decode_signed
from pipeline.signing.base import SECP256K1_N, EvmSigner, PolicyRefused, SignatureRejected
from pipeline.signing.keystore import LocalKey
from pipeline.signing.policy import PlanPolicy
from tests.support.anvil import DEPLOYER, KEY
from tests.support.contracts import Workshop

OTHER_KEY = b"\x07" * 32
TARGET = "0x5FbDB2315678afecb367f032d93F642f64180aa3"


@dataclass
class Backend:
    """A key with a fault: ``change`` is done to every signature."""

    key: LocalKey
    change: Any = lambda r, s: (r, s)
    name: str = "faulty"
    assurance: str = "software"
    asked: int = 0
    shown: str = DEPLOYER

    @property
    def address(self) -> str:
        return self.shown

    def sign_digest(self, digest: bytes) -> tuple[int, int]:
        self.asked += 1
        r, s = self.key.sign_digest(digest)
        return tuple(self.change(r, s))  # type: ignore[return-value]


def made(**limits: Any) -> tuple[EvmPlan, Action, UnsignedTransaction]:
    workshop = Workshop(DEPLOYER, 5)
    workshop.call("grant", TARGET, b"\x01\x02", value_wei=7)
    plan = replace(workshop.plan(31337, "0x" + "00" * 32, 0)[0], limits=limits)
    action = plan.actions[0]
    return plan, action, UnsignedTransaction(31337, 5, TARGET, 7, b"\x01\x02", action.gas_limit, Fees(100, 10))


def signer(backend: Any, plan: EvmPlan) -> EvmSigner:
    return EvmSigner(backend, PlanPolicy.of(plan))


def test_a_planned_transaction_is_signed() -> None:
    plan, action, unsigned = made()
    signed = signer(LocalKey(KEY, "x"), plan).sign(unsigned, action)
    assert Account.recover_transaction(signed.raw) == DEPLOYER


def test_high_s_is_folded() -> None:
    plan, action, unsigned = made()
    low = signer(Backend(LocalKey(KEY, "x")), plan).sign(unsigned, action)
    high = signer(Backend(LocalKey(KEY, "x"), lambda r, s: (r, SECP256K1_N - s)), plan).sign(unsigned, action)
    assert low == high
    assert decode_signed(high.raw)[1][1] <= SECP256K1_N // 2


@pytest.mark.parametrize(
    "change",
    [
        lambda r, s: (0, s),
        lambda r, s: (r, 0),
        lambda r, s: (SECP256K1_N, s),
        lambda r, s: (r, SECP256K1_N),
        lambda r, s: (r + SECP256K1_N, s),
        lambda r, s: (-r, s),
        lambda r, s: (r, -s),
        lambda r, s: (2**256, s),
        lambda r, s: (r ^ 1, s),
        lambda r, s: (r, s ^ 1),
        lambda r, s: (s, r),
        lambda r, s: (1, 1),
        lambda r, s: (5, 1),  # no point has this r
    ],
)
def test_a_wrong_signature_is_refused(change: Any) -> None:
    plan, action, unsigned = made()
    with pytest.raises(SignatureRejected) as caught:
        signer(Backend(LocalKey(KEY, "x"), change), plan).sign(unsigned, action)
    assert caught.value.exit_code == 2


def test_another_keys_signature_is_refused() -> None:
    plan, action, unsigned = made()
    with pytest.raises(SignatureRejected, match="was not made by"):
        signer(Backend(LocalKey(OTHER_KEY, "x")), plan).sign(unsigned, action)


def test_addresses_compare_whatever_their_case() -> None:
    plan, action, unsigned = made()
    backend = Backend(LocalKey(KEY, "x"), shown=DEPLOYER.lower())
    assert signer(backend, plan).sign(replace(unsigned, to=TARGET.lower()), action)


ALTERED: dict[str, dict[str, Any]] = {
    "chain id": {"chain_id": 1},
    "nonce": {"nonce": 6},
    "recipient": {"to": DEPLOYER},
    "creation": {"to": None},
    "value": {"value_wei": 8},
    "data": {"data": b"\x01\x03"},
    "no data": {"data": b""},
    "gas limit": {"gas_limit": 100_001},
    "less gas": {"gas_limit": 99_999},
    "fee": {"fees": Fees(101, 10)},
    "tip": {"fees": Fees(100, 11)},
    "gas price": {"fees": Fees(101, None)},
}


@pytest.mark.parametrize("what", ALTERED)
def test_the_policy_refuses_whatever_is_not_the_plans_before_the_backend_is_asked(what: str) -> None:
    plan, action, unsigned = made(max_fee_per_gas_wei="100", max_priority_fee_per_gas_wei="10")
    backend = Backend(LocalKey(KEY, "x"))
    with pytest.raises(PolicyRefused) as caught:
        signer(backend, plan).sign(replace(unsigned, **ALTERED[what]), action)
    assert caught.value.exit_code == 2
    assert backend.asked == 0
    assert signer(backend, plan).sign(unsigned, action)


def test_an_action_that_is_not_the_plans_is_refused_however_much_it_looks_like_one() -> None:
    plan, action, unsigned = made()
    with pytest.raises(PolicyRefused, match="not an action of the plan"):
        signer(LocalKey(KEY, "x"), plan).sign(unsigned, replace(action, id="other"))
    # The plan's own action counts, not the one handed in with its name.
    with pytest.raises(PolicyRefused, match="the value"):
        signer(LocalKey(KEY, "x"), plan).sign(replace(unsigned, value_wei=9), replace(action, value_wei=9))


def test_one_transaction_may_not_cost_more_than_the_plan() -> None:
    plan, action, unsigned = made(max_cost_wei=str(100_000 * 100 + 7))
    assert signer(LocalKey(KEY, "x"), plan).sign(unsigned, action)
    with pytest.raises(PolicyRefused, match="max_cost_wei"):
        signer(LocalKey(KEY, "x"), plan).sign(replace(unsigned, fees=Fees(101, 10)), action)


def test_a_key_never_shows_itself() -> None:
    assert KEY.hex() not in repr(LocalKey(KEY, "x"))
    assert repr(LocalKey(KEY, "x")) == f"LocalKey({DEPLOYER})"
