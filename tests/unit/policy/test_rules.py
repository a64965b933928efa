"""Every rule of the policy refuses by name, with exit code 2, in the journal, and before any backend is asked."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from chains.evm.actions import Action, EvmPlan, PlannedUnit
from chains.evm.address import CREATE2_FACTORY
from chains.evm.proposal import Proposal
from chains.evm.safe.typed import SafeTx
from chains.evm.transaction import Fees, UnsignedTransaction
from pipeline.approvals.files import Approval
from pipeline.approvals.message import ApprovalMessage
from pipeline.journal import Journal
from pipeline.manifest.policy_spec import PolicySpec
from pipeline.plan import Plan
from pipeline.signing.base import EvmSigner, PolicyRefused
from pipeline.signing.guard import Guard, GuardedPolicy
from pipeline.signing.keystore import LocalKey
from pipeline.signing.policy import PlanPolicy
from pipeline.signing.rules.approved import Approved
from pipeline.signing.rules.base import Request, Rule
from pipeline.signing.rules.calls import AllowedCalls
from pipeline.signing.rules.chain import SameChain
from pipeline.signing.rules.init_code import ApprovedInitCode
from pipeline.signing.rules.key import KeptBy, PinnedSigner
from pipeline.signing.rules.kinds import AllowedKinds
from pipeline.signing.rules.spending import (
    Account,
    CostPerDay,
    CostPerRelease,
    GasCap,
    ValueCap,
    ValuePerRelease,
)
from pipeline.signing.safe_tx import SafeTxSigner
from pipeline.signing.spent import Ledger
from pipeline.signing.typed import typed_signature
from pipeline.signing.with_reservations import DecidingJournal
from tests.support.anvil import DEPLOYER, KEY

TOKEN = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
OTHER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
SAFE = "0x1111111111111111111111111111111111111111"
GENESIS = "0x" + "ab" * 32
TRANSFER = bytes.fromhex("a9059cbb") + bytes(64)
CODE = b"\x60\x00\xf3 init code"
FEES = Fees(100, 10)
WORST_WEI = 100_000 * 100 + 7


@dataclass
class Counting:
    """A real key that counts how often it is asked."""

    key: LocalKey = field(default_factory=lambda: LocalKey(KEY, "counting"))
    name: str = "counting"
    assurance: Any = "software"
    address: str = DEPLOYER
    asked: int = 0

    def sign_digest(self, digest: bytes) -> tuple[int, int]:
        self.asked += 1
        return self.key.sign_digest(digest)


def action(name: str, kind: Any, nonce: int, to: str | None, data: bytes, **more: Any) -> Action:
    return Action(name, "Token", kind, name, nonce, to, 7 if kind == "call" else 0, data, gas_limit=100_000, **more)


CALL = action("pay", "call", 5, TOKEN, TRANSFER)
CREATE = action("new", "create", 6, None, CODE)
SALTED = action("salted", "create2", 7, CREATE2_FACTORY, bytes(32) + CODE)
SECOND = action("again", "call", 8, TOKEN, TRANSFER)
PROPOSED = replace(action("up", "proposal", 9, OTHER, TRANSFER, by=SAFE), value_wei=3)


def plan(**limits: Any) -> EvmPlan:
    chain = {"name": "test", "id": 31337, "genesis_hash": GENESIS}
    tx = SafeTx(OTHER, 3, TRANSFER, 0, 4)
    proposal = Proposal("safe.1", SAFE, "1.4.1", tx, "0x" + "cd" * 32, ("up",), (DEPLOYER,), 1)
    unit = PlannedUnit("Token", "unchanged", "", {"address": TOKEN})
    return EvmPlan(chain, DEPLOYER, (CALL, CREATE, SALTED, SECOND, PROPOSED), (unit,), (), limits, {}, {}, (proposal,))


def unsigned(of: Action, **changed: Any) -> UnsignedTransaction:
    made = UnsignedTransaction(31337, of.nonce, of.to, of.value_wei, of.data, of.gas_limit, FEES)
    return replace(made, **changed)


class Bench:
    """A guard over a real journal."""

    def __init__(self, path: Path) -> None:
        self.journal = Journal(path / "journal.jsonl")
        self.backend = Counting()
        self.now_s = __import__("time").time()
        self.account = Account(Ledger(self.journal.rows), "p" * 64, lambda: self.now_s)

    def guard(self, *rules: Rule) -> Guard:
        return Guard(plan(), "p" * 64, self.backend, self.journal, rules, self.account)

    def signer(self, *rules: Rule) -> EvmSigner:
        return EvmSigner(self.backend, GuardedPolicy(PlanPolicy.of(plan()), self.guard(*rules)))

    def sign(self, of: Action, *rules: Rule, **changed: Any) -> None:
        """As the sender does: signed, and then in the journal."""
        signed = self.signer(*rules).sign(unsigned(of, **changed), of)
        row = {
            "plan": "p" * 64,
            "action": of.id,
            "nonce": of.nonce,
            "hash": signed.hash,
            "raw": "0x" + signed.raw.hex(),
        }
        self.journal.append("tx.signed", {**row, "fees": FEES.to_json(), "signer": DEPLOYER})

    def refused(self, rule: str, of: Action, *rules: Rule, **changed: Any) -> str:
        asked = self.backend.asked
        with pytest.raises(PolicyRefused) as caught:
            self.signer(*rules).sign(unsigned(of, **changed), of)
        assert caught.value.exit_code == 2
        assert self.backend.asked == asked, "the backend was asked"
        row = self.journal.rows[-1]
        assert (row.kind, row.data["verdict"], row.data["rule"]) == ("policy.decision", "refused", rule)
        assert row.data["digest"] == "0x" + unsigned(of, **changed).signing_hash().hex()
        if rule != "plan":
            assert f"by the rule {rule}:" in caught.value.cause
        return caught.value.cause

    def decisions(self) -> list[tuple[str, str]]:
        return [(r.data["action"], r.data["verdict"]) for r in self.journal.rows if r.kind == "policy.decision"]


@pytest.fixture
def bench(tmp_path: Path) -> Any:
    made = Bench(tmp_path)
    yield made
    made.journal.close()


def test_what_the_plan_does_not_hold_is_refused_whatever_else_is_allowed(bench: Bench) -> None:
    bench.refused("plan", CALL, value_wei=8)
    bench.refused("plan", replace(CALL, id="other"))


@pytest.mark.parametrize(
    "rule",
    [
        SameChain({"id": 1, "genesis_hash": GENESIS}, 31337, GENESIS, None),
        SameChain({"id": 31337, "genesis_hash": GENESIS}, 1, GENESIS, None),
        SameChain({"id": 31337, "genesis_hash": GENESIS}, 31337, "0x" + "00" * 32, None),
        SameChain({"id": 31337, "genesis_hash": GENESIS}, 31337, GENESIS, "0x" + "00" * 32),
    ],
)
def test_another_chain_or_another_genesis_is_refused(bench: Bench, rule: Rule) -> None:
    bench.refused("chain", CALL, rule)
    bench.sign(CALL, SameChain({"id": 31337, "genesis_hash": GENESIS}, 31337, GENESIS, GENESIS))


@pytest.mark.parametrize("rule", [PinnedSigner(DEPLOYER, OTHER, None), PinnedSigner(DEPLOYER, DEPLOYER, OTHER)])
def test_another_key_than_the_pinned_one_is_refused(bench: Bench, rule: Rule) -> None:
    bench.refused("signer", CALL, rule)
    bench.sign(CALL, PinnedSigner(DEPLOYER, DEPLOYER.lower(), DEPLOYER))


@pytest.mark.parametrize(
    ("found", "required", "allowed"),
    [
        ("software", "service", False), ("software", "hardware", False), ("service", "hardware", False),
        ("software", "software", True), ("service", "service", True), ("hardware", "service", True),
    ],
)  # fmt: skip
def test_a_key_kept_by_less_than_is_required_is_refused(bench: Bench, found: Any, required: Any, allowed: bool) -> None:
    rule = KeptBy("counting", found, required)
    if allowed:
        bench.sign(CALL, rule)
    else:
        bench.refused("require", CALL, rule)


def test_kinds_of_action_that_are_not_allowed_are_refused(bench: Bench) -> None:
    bench.refused("allow-actions", CREATE, AllowedKinds(frozenset({"call"})))
    bench.refused("allow-actions", CALL, AllowedKinds(frozenset({"create", "create2"})))
    bench.sign(CALL, AllowedKinds(frozenset({"call"})))


@pytest.mark.parametrize("of", [CREATE, SALTED])
def test_init_code_that_was_not_approved_is_refused(bench: Bench, of: Action) -> None:
    bench.refused("init-code", of, ApprovedInitCode.of([replace(of, data=of.data + b"\0")]))
    bench.sign(of, ApprovedInitCode.of(plan().actions))


@pytest.mark.parametrize(
    "written",
    [
        {},
        {OTHER: ("transfer(address,uint256)",)},
        {TOKEN: ("approve(address,uint256)",)},
        {TOKEN: ()},
        {TOKEN: ("receive()",)},
        {"${contracts.Nobody}": ("transfer(address,uint256)",)},
    ],
)
def test_a_call_that_is_not_listed_is_refused(bench: Bench, written: Any) -> None:
    bench.refused("calls", CALL, AllowedCalls.of(written, plan()))


@pytest.mark.parametrize("callee", [TOKEN, "${contracts.Token}"])
def test_a_listed_call_is_signed_by_address_or_by_contract(bench: Bench, callee: str) -> None:
    rule = AllowedCalls.of({callee: ("approve(address,uint256)", "transfer(address,uint256)")}, plan())
    bench.sign(CALL, rule)
    bench.sign(CREATE, rule)  # a creation calls nobody


def test_value_and_gas_have_caps(bench: Bench) -> None:
    bench.refused("max-value-per-transaction", CALL, ValueCap(6))
    bench.refused("max-gas-per-transaction", CALL, GasCap(99_999))
    bench.sign(CALL, ValueCap(7), GasCap(100_000))


def test_the_value_of_a_release_adds_up_over_its_transactions_and_runs(bench: Bench) -> None:
    bench.sign(CALL, ValuePerRelease(13, bench.account))
    bench.refused("max-value-per-release", SECOND, ValuePerRelease(13, bench.account))
    # A new process knows it from the journal.
    account = Account(Ledger(bench.journal.rows), "p" * 64, lambda: bench.now_s)
    bench.refused("max-value-per-release", SECOND, ValuePerRelease(13, account))
    bench.sign(SECOND, ValuePerRelease(14, account))


def test_the_cost_of_a_release_adds_up_at_its_worst_until_it_is_mined(bench: Bench) -> None:
    rule = CostPerRelease(2 * WORST_WEI - 1, bench.account)
    bench.sign(CALL, rule)
    bench.sign(CALL, rule)  # the same nonce is paid for once
    bench.refused("max-cost", SECOND, rule)
    mined = {"plan": "p" * 64, "action": "pay", "hash": "0x", "block_number": 1, "block_hash": "0x", "gas_used": 21_000}
    bench.journal.append("tx.mined", {**mined, "gas_price_wei": "50"})
    bench.signer(rule).sign(unsigned(SECOND), SECOND)
    bench.journal.append("tx.reorged", {"plan": "p" * 64, "action": "pay", "hash": "0x"})
    bench.refused("max-cost", SECOND, rule)


def test_a_replacement_counts_at_its_higher_price(bench: Bench) -> None:
    rule = CostPerRelease(WORST_WEI + 100_000, bench.account)
    bench.sign(CALL, rule)
    bench.sign(CALL, rule, fees=Fees(101, 10))
    bench.refused("max-cost", CALL, rule, fees=Fees(102, 10))


def test_what_a_parent_chain_may_take_counts(bench: Bench) -> None:
    account = replace(bench.account, data_fee_wei=1)
    bench.refused("max-cost", CALL, CostPerRelease(WORST_WEI, account))


def test_a_day_adds_up_over_plans_and_ends_after_24_hours(bench: Bench) -> None:
    bench.sign(CALL)
    later = Account(Ledger(bench.journal.rows), "q" * 64, lambda: bench.now_s + 3_600)
    bench.refused("max-cost-per-day", CALL, CostPerDay(2 * WORST_WEI - 1, later))
    back = Account(Ledger(bench.journal.rows), "q" * 64, lambda: bench.now_s - 86_400)
    bench.refused("max-cost-per-day", CALL, CostPerDay(2 * WORST_WEI - 1, back))  # a clock set back frees nothing
    next_day = Account(Ledger(bench.journal.rows), "q" * 64, lambda: bench.now_s + 86_460)
    bench.sign(CALL, CostPerDay(WORST_WEI, next_day))


def test_a_plan_nobody_approved_is_refused(bench: Bench) -> None:
    whole = Plan("acme", "1.0.0", "local", None, False, "bb" * 32, "cc" * 32, "dd" * 32, plan())
    policy = PolicySpec.model_validate({"approvals": 1, "approvers": {"alice": OTHER}})
    bench.refused("approved", CALL, Approved.by(bench.journal.rows, whole, PolicySpec()))
    bench.journal.append("plan.accepted", {"plan": whole.digest})
    bench.refused("approved", CALL, Approved.by(bench.journal.rows, whole, policy))
    message = ApprovalMessage.of(whole, 2_000_000_000)
    forged = Approval("alice", OTHER, message, typed_signature(bench.backend, message))
    bench.backend.asked = 0
    bench.journal.append("plan.accepted", {"plan": whole.digest, "approvals": [forged.to_json()]})
    bench.refused("approved", CALL, Approved.by(bench.journal.rows, whole, policy))
    bench.sign(CALL, Approved.by(bench.journal.rows, whole, PolicySpec()))


def test_the_decision_is_in_the_journal_before_the_signature_and_once(bench: Bench) -> None:
    bench.sign(CALL)
    assert [row.kind for row in bench.journal.rows] == ["policy.decision", "tx.signed"]
    bench.sign(CALL)  # as a run that was killed in between does: the same payload, decided before
    assert bench.decisions() == [("pay", "allowed")]
    bench.sign(CALL, fees=Fees(101, 10))
    assert bench.decisions() == [("pay", "allowed")] * 2


def test_decisions_can_be_written_together_ahead(bench: Bench) -> None:
    rules = (CostPerRelease(2 * WORST_WEI, bench.account),)
    signer = bench.signer(*rules)
    batch = [(unsigned(CALL), CALL), (unsigned(SECOND), SECOND), (unsigned(CREATE), CREATE)]
    rows = signer.decisions(batch)
    assert [data["action"] for _, data in rows] == ["pay", "again"]  # the third is over the cap
    assert bench.backend.asked == 0
    for kind, data in rows:
        bench.journal.append(kind, data)
    signer.sign(unsigned(CALL), CALL)
    signer.sign(unsigned(SECOND), SECOND)
    assert len(bench.journal.rows) == 2
    bench.refused("max-cost", CREATE, *rules)


def test_decisions_are_on_disk_with_the_reservations_they_are_about(bench: Bench) -> None:
    signer = bench.signer(CostPerRelease(2 * WORST_WEI, bench.account))
    journal = DecidingJournal(bench.journal, plan(), signer)
    about = {"plan": "p" * 64, "chain_id": 31337, "gas_limit": 100_000, "fees": FEES.to_json()}
    group = [("tx.reserved", {**about, "action": a.id, "nonce": a.nonce}) for a in (CALL, SECOND)]
    assert [row.kind for row in journal.append_all(group)] == ["tx.reserved"] * 2
    assert [row.kind for row in bench.journal.rows] == ["tx.reserved"] * 2 + ["policy.decision"] * 2
    signer.sign(unsigned(CALL), CALL)
    signer.sign(unsigned(SECOND), SECOND)
    assert len(journal.rows) == 4
    signer.sign(unsigned(CALL, fees=Fees(99, 10)), CALL)  # not what was reserved: a decision of its own
    assert len(journal.rows) == 5


def test_what_is_to_come_is_asked_about_before_the_first_signature(bench: Bench) -> None:
    guard = bench.guard(ValuePerRelease(13, bench.account))
    requests = [Request(a.id, unsigned(a).signing_hash(), (a,), unsigned(a)) for a in (CALL, SECOND)]
    with pytest.raises(PolicyRefused, match="max-value-per-release"):
        guard.foresee(requests)
    assert bench.decisions() == [("again", "refused")]
    bench.sign(CALL, ValuePerRelease(13, bench.account))  # only looked at: nothing counts yet


def test_a_safes_transaction_is_held_to_the_rules_too(bench: Bench) -> None:
    tx = plan().proposals[0].tx
    for rule, name in (
        (AllowedKinds(frozenset({"call"})), "allow-actions"),
        (ValueCap(2), "max-value-per-transaction"),
    ):
        with pytest.raises(PolicyRefused, match=name):
            SafeTxSigner(bench.backend, plan(), bench.guard(rule)).sign("safe.1", tx)
    with pytest.raises(PolicyRefused, match="calls"):
        SafeTxSigner(bench.backend, plan(), bench.guard(AllowedCalls.of({TOKEN: ()}, plan()))).sign("safe.1", tx)
    assert bench.backend.asked == 0
    allowed = AllowedCalls.of({OTHER: ("transfer(address,uint256)",)}, plan())
    assert len(SafeTxSigner(bench.backend, plan(), bench.guard(allowed, ValueCap(3))).sign("safe.1", tx)) == 65
    assert [row.data["what"] for row in bench.journal.rows] == ["SafeTx"] * 4


def test_typed_data_of_another_kind_is_never_signed(bench: Bench) -> None:
    @dataclass(frozen=True)
    class Permit:
        def digest(self) -> bytes:
            return bytes(32)

    for other in (Permit(), bytes(32), SafeTx(OTHER, 0, b"", 0, 0)):
        with pytest.raises(PolicyRefused, match="never signed"):
            typed_signature(bench.backend, other)  # type: ignore[arg-type]
    assert bench.backend.asked == 0


def test_only_two_modules_hand_a_digest_to_a_key() -> None:
    """No raw digests: whoever asks a key for a signature has made the digest from fields it has checked."""
    import ast

    root = Path(__file__).resolve().parents[3]
    callers: dict[str, set[str]] = {"sign_digest": set(), "checked_signature": set()}
    for file in [*(root / "pipeline").rglob("*.py"), *(root / "chains").rglob("*.py")]:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call):
                name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                if name in callers:
                    callers[name].add(file.relative_to(root).as_posix())
    assert callers["sign_digest"] == {"pipeline/signing/base.py"}
    assert callers["checked_signature"] == {"pipeline/signing/base.py", "pipeline/signing/typed.py"}
