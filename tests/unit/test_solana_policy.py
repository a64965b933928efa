"""The target's rules before every key on Solana: each refuses with its name and reason in the journal, and no key is used."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from chains.solana.fees import Budget
from chains.solana.idl import Idl
from pipeline.journal import Journal
from pipeline.manifest.policy_spec import PolicySpec
from pipeline.programs.guard import GuardedKey, MessageGuard
from pipeline.programs.plan import ProgramPlan
from pipeline.signing.base import PolicyRefused
from pipeline.signing.ed25519 import LocalEd25519
from pipeline.signing.rules.approved import Approved
from tests.support.solana_messages import CAP, ELF, KEYS, PLAN, Made, engine_messages
from tests.support.solana_project import COUNTER

LOADER = "BPFLoaderUpgradeab1e11111111111111111111111"
AUTHORITY = LocalEd25519(bytes([2]) * 32, "keystore")
PAYER = LocalEd25519(bytes([1]) * 32, "keystore")


@dataclass
class Counting:
    """A key that says how often it was used."""

    key: LocalEd25519
    used: int = 0

    @property
    def name(self) -> str:
        return self.key.name

    @property
    def assurance(self) -> Any:
        return self.key.assurance

    @property
    def public_key(self) -> bytes:
        return self.key.public_key

    def sign_message(self, message: bytes) -> bytes:
        self.used += 1
        return self.key.sign_message(message)


def _frozen(rule: Any) -> Any:
    """As the manifest's reader gives it."""
    if isinstance(rule, dict):
        return {key: _frozen(value) for key, value in rule.items()}
    return tuple(rule) if isinstance(rule, list) else rule


@dataclass
class Desk:
    """A plan, its journal, and the authority's key behind the guard."""

    plan: ProgramPlan
    journal: Journal
    key: Counting

    def signer(self, key: LocalEd25519 = AUTHORITY, **rules: Any) -> GuardedKey:
        """``rules`` of [policy]; ``pinned``, ``genesis`` and ``approved`` are the guard's own."""
        pinned, genesis = rules.pop("pinned", None), rules.pop("genesis", "genesis")
        approved = rules.pop("approved", Approved(None))
        policy = PolicySpec.model_validate({name.replace("_", "-"): _frozen(rule) for name, rule in rules.items()})
        idls = {str(KEYS["program"]): Idl(IDL)}
        guard = MessageGuard(self.plan, policy, self.journal, pinned, genesis, approved, lambda _: ELF, idls)
        self.key = Counting(key)
        return GuardedKey(str(KEYS["authority"]), self.key, guard)

    def decisions(self) -> list[Any]:
        return [row.data for row in self.journal.rows if row.kind == "policy.decision"]

    def refuses(self, rule: str, signer: GuardedKey, made: Made) -> str:
        """The reason, which the journal has too."""
        with pytest.raises(PolicyRefused) as caught:
            signer.sign(replace(made.unsigned, plan=self.plan.digest))
        assert caught.value.exit_code == 2
        assert self.key.used == 0
        last = self.decisions()[-1]
        assert (last["verdict"], last["rule"]) == ("refused", rule)
        assert last["reason"] in caught.value.cause
        return str(last["reason"])

    def allows(self, signer: GuardedKey, made: Made) -> None:
        signer.sign(replace(made.unsigned, plan=self.plan.digest))
        assert self.key.used == 1


def _idl() -> dict[str, Any]:
    import json

    return dict(json.loads((COUNTER / "target" / "idl" / "counter.json").read_text()))


IDL = _idl()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    journal = Journal(tmp_path / "journal.jsonl")
    yield Desk(MADE, journal, Counting(AUTHORITY))
    journal.close()


DIGEST = "00" * 32
MADE = ProgramPlan("counter", "0.1.0", "here", None, False, DIGEST, DIGEST, DIGEST, PLAN)


def message(kind: str, step: str, price: int = 0) -> Made:
    made = engine_messages(Budget(2_000, price), digest=MADE.digest)
    return next(one for one in made if (one.action.kind, one.step) == (kind, step))


CALL = ("call", "call")
FINALIZE = ("finalize", "finalize")


def test_without_rules_the_plan_decides(desk: Desk) -> None:
    desk.allows(desk.signer(), message(*FINALIZE))
    (row,) = desk.decisions()
    assert (row["verdict"], row["signer"], row["assurance"]) == ("allowed", str(KEYS["authority"]), "software")


def test_a_message_of_another_plan(desk: Desk) -> None:
    with pytest.raises(PolicyRefused, match="no action of the plan"):
        desk.signer().sign(message(*FINALIZE).unsigned)
    assert (desk.key.used, desk.decisions()[-1]["rule"]) == (0, "plan")


def test_a_message_that_cannot_be_read(desk: Desk) -> None:
    unsigned = replace(message(*FINALIZE).unsigned, plan=desk.plan.digest, message=b"\x80\x01")
    with pytest.raises(PolicyRefused, match="cannot be read"):
        desk.signer().sign(unsigned)
    assert desk.key.used == 0


def test_approvals_are_missing(desk: Desk) -> None:
    policy = PolicySpec.model_validate({"approvals": 1})
    why = Approved.by(desk.journal.rows, desk.plan, policy)
    assert "nobody has approved" in desk.refuses("approved", desk.signer(approved=why), message(*CALL))


@pytest.mark.parametrize("wrong", [{"genesis": "another"}, {"pinned": "another"}])
def test_another_cluster(desk: Desk, wrong: dict[str, str]) -> None:
    assert "genesis" in desk.refuses("chain", desk.signer(**wrong), message(*CALL))


@pytest.mark.parametrize("required", ["service", "hardware"])
def test_a_key_kept_by_too_little(desk: Desk, required: str) -> None:
    assert required in desk.refuses("require", desk.signer(require=required), message(*CALL))


def test_a_hot_payer_may_be_kept_by_less_than_the_authority(desk: Desk) -> None:
    desk.allows(desk.signer(PAYER, require="hardware"), message("upgrade", "create"))


def test_a_price_over_the_cap(desk: Desk) -> None:
    desk.allows(desk.signer(), message(*CALL, price=CAP))
    assert str(CAP) in desk.refuses("max-unit-price", desk.signer(), message(*CALL, price=CAP + 1))


def test_a_program_that_may_not_be_invoked(desk: Desk) -> None:
    allowed = desk.signer(programs=[str(KEYS["program"])])
    desk.allows(allowed, message(*CALL))
    assert str(KEYS["program"]) in desk.refuses("programs", desk.signer(programs=[str(KEYS["other"])]), message(*CALL))


def test_what_every_release_needs_may_be_invoked_all_the_same(desk: Desk) -> None:
    desk.allows(desk.signer(PAYER, programs=[str(KEYS["other"])]), message("deploy", "create", price=5))


@pytest.mark.parametrize(
    ("program", "names", "made", "refused"),
    [
        (LOADER, ["upgrade", "extend"], message(*FINALIZE), "set-authority"),
        (LOADER, [], message("upgrade", "upgrade"), "upgrade"),
        (str(KEYS["program"]), ["initialize"], message(*CALL), "increment"),
    ],
)
def test_an_instruction_that_may_not_be_sent(
    desk: Desk, program: str, names: list[str], made: Made, refused: str
) -> None:
    assert refused in desk.refuses("instructions", desk.signer(instructions={program: names}), made)
    desk.allows(desk.signer(instructions={program: [*names, refused]}), made)


def test_an_instruction_the_idl_does_not_name(desk: Desk) -> None:
    signer = desk.signer(instructions={str(KEYS["program"]): ["increment"]})
    nameless = replace(signer, guard=replace(signer.guard, idls={}))
    assert "without a name" in desk.refuses("instructions", nameless, message(*CALL))


def test_more_lamports_than_allowed(desk: Desk) -> None:
    """What was signed before counts, at its worst; and so does the rent that is still to be paid."""
    made, rent = message(*CALL), PLAN.estimate["rent_lamports"]
    cost = 5_000 * 2
    desk.allows(desk.signer(max_lamports=rent + cost), made)
    assert str(rent + cost) in desk.refuses("max-lamports", desk.signer(max_lamports=rent + cost - 1), made)
    wave = {"plan": desk.plan.digest, "unit": "counter", "units": 0, "price_micro_lamports": 0, "writes": [[0, 1, "s"]]}
    desk.journal.append("sol.writing", wave)
    desk.refuses("max-lamports", desk.signer(max_lamports=rent + cost), made)
    desk.allows(desk.signer(max_lamports=rent + cost + 5_000), made)


def test_writes_leave_a_row_only_when_refused(desk: Desk) -> None:
    made = message("upgrade", "write")
    desk.allows(desk.signer(PAYER), made)
    assert desk.decisions() == []
    desk.refuses("instructions", desk.signer(PAYER, instructions={LOADER: ["upgrade"]}), made)
