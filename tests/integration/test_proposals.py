"""Proposals on a real chain with real Safes: nested owners, a service, races, nonces that move, and every kill point."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from chains.evm.actions import Action
from chains.rpc import RpcFault
from pipeline.deploying import Deployment
from pipeline.journal import Journal
from pipeline.options import DeployOptions
from pipeline.outcome import Outcome
from pipeline.proposals.carrying import Carrier
from pipeline.proposals.importing import import_signatures
from pipeline.proposals.listing import list_proposals
from tests.support.anvil import anvil
from tests.support.safe_service import safe_service
from tests.support.safes import ACCOUNTS, SAFE_130, Chain, call, install, new_safe

COUNTER = Path(__file__).parents[1] / "projects" / "counter"
DEPLOYER, SECOND, THIRD, OTHER = ACCOUNTS


class Quiet:
    """A Ui that remembers its notes."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def confirm(self, question: str) -> bool | None:
        return True

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *arguments, **named: None


class System:
    """The counter, owned by a Safe, on a chain of its own."""

    def __init__(self, root: Path, chain: Chain, url: str, safe: str) -> None:
        self.root, self.chain, self.safe = root, chain, safe
        self.ui = Quiet()
        (root / "manifests" / "local.toml").write_text(
            f'schema = 1\nextends = "builtin:local"\n[rpc]\nendpoints = ["{url}"]\n'
        )
        self.edit("ship.toml", 'args = ["${deployer}", 7]', f'args = ["{safe}", 7]')
        self.edit("ship.toml", 'equals = "${deployer}"', f'equals = "{safe}"')
        self.counter = self.deploy().units["Counter"].address

    def edit(self, file: str, old: str, new: str) -> None:
        path = self.root / file
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    def change(self, text: str = "function two() external pure returns (uint256) { return 2; }") -> None:
        self.edit("src/Counter.sol", "    function increment()", f"    {text}\n\n    function increment()")
        version = json.dumps("1.1.0")
        self.edit("ship.toml", 'version = "1.0.0"', f"version = {version}")

    def deploy(self, exit_code: int = 0) -> Outcome:
        errors: list[Any] = []
        options = DeployOptions(yes=True, password=lambda _name: "")
        outcome = Deployment(self.root, "local", options, self.ui, errors.append).run()
        assert outcome.exit_code == exit_code, [error.cause for error in errors]
        return outcome

    def proposed(self) -> dict[str, Any]:
        (path,) = [p["file"] for p in list_proposals(self.root, "local") if p["state"] == "proposed"]
        found: dict[str, Any] = json.loads((self.root / path).read_text())["ship"]
        return found

    def give(self, owner: str, asked: dict[str, Any]) -> None:
        """The owner signs the typed data of a proposal, or of a nested approval, and hands the signature over."""
        signature = self.chain.sign_typed(owner, asked["typedData"])
        file = self.root / "given.json"
        file.write_text(json.dumps({"safeTxHash": asked["safeTxHash"], "signatures": [{"signature": signature}]}))
        import_signatures(self.root, "local", file, self.ui)

    def two(self) -> bool:
        try:
            return self.chain.read(str(self.counter), "two()")[-1] == 2
        except (RpcFault, IndexError):
            return False

    def nonce(self) -> int:
        return int(self.chain.ask("eth_getTransactionCount", DEPLOYER, "latest"), 16)

    def rows(self, kind: str) -> list[dict[str, Any]]:
        lines = (self.root / "deployments/local/journal.jsonl").read_text().splitlines()
        return [row["data"] for row in map(json.loads, lines) if row["kind"] == kind]


Make = Callable[..., System]


@pytest.fixture(scope="module")
def node() -> Iterator[tuple[Chain, str]]:
    with anvil() as running:
        chain = Chain(running.url)
        install(chain)
        yield chain, running.url


@pytest.fixture
def make(node: tuple[Chain, str], tmp_path: Path) -> Iterator[Make]:
    chain, url = node
    snapshot = chain.ask("evm_snapshot")

    def made(safe: Callable[[Chain], str]) -> System:
        root = tmp_path / "counter"
        shutil.copytree(COUNTER, root)
        return System(root, chain, url, safe(chain))

    yield made
    chain.ask("evm_revert", snapshot)


def both(chain: Chain) -> str:
    return new_safe(chain, [DEPLOYER, SECOND], 2)


def _execute(system: System, asked: dict[str, Any], signers: list[str]) -> None:
    """Somebody else executes a proposal with the wallets' signatures."""
    message = asked["typedData"]["message"]
    signed = sorted((int(owner, 16), system.chain.sign_typed(owner, asked["typedData"])) for owner in signers)
    data = call(
        "execTransaction(address,uint256,bytes,uint8,uint256,uint256,uint256,address,address,bytes)",
        message["to"], int(message["value"]), bytes.fromhex(message["data"][2:]), message["operation"], 0, 0, 0,
        message["gasToken"], message["refundReceiver"], b"".join(bytes.fromhex(s[2:]) for _, s in signed),
    )  # fmt: skip
    system.chain.send(asked["typedData"]["domain"]["verifyingContract"], data, sender=OTHER)


def test_a_safe_of_version_1_3_0_is_served_too(make: Make) -> None:
    """It tells of executions in another form of event."""
    system = make(lambda chain: new_safe(chain, [DEPLOYER, SECOND], 2, singleton=SAFE_130))
    system.change()
    system.deploy(exit_code=3)
    system.give(SECOND, system.proposed())
    assert system.deploy().sent == 1
    assert system.two()


def test_giving_a_proposal_up_says_that_its_owners_can_still_execute_it(make: Make) -> None:
    system = make(both)
    system.change()
    system.deploy(exit_code=3)
    first = system.proposed()
    options = DeployOptions(yes=True, password=lambda _name: "", replan=True)
    assert Deployment(system.root, "local", options, system.ui, lambda _error: None).run().exit_code == 3
    assert any(first["safeTxHash"] in note for note in system.ui.notes)
    assert system.proposed()["safeTxHash"] == first["safeTxHash"]


def test_an_owner_that_is_a_safe_approves_by_a_transaction_of_its_own(make: Make) -> None:
    def nested(chain: Chain) -> str:
        return new_safe(chain, [DEPLOYER, new_safe(chain, [DEPLOYER, SECOND], 2, salt=1)], 2)

    system = make(nested)
    system.change()
    system.deploy(exit_code=3)
    asked = system.proposed()
    (inner,) = asked["nested"]
    assert [s["owner"] for s in inner["signatures"]] == [DEPLOYER]
    system.give(SECOND, inner)
    assert system.deploy().sent == 2  # the inner Safe's approval, and the outer's execution
    assert system.two()


def test_an_owner_that_is_the_deployers_own_safe_needs_nobody_else(make: Make) -> None:
    system = make(lambda chain: new_safe(chain, [SECOND, new_safe(chain, [DEPLOYER], 1, salt=1)], 1))
    system.change()
    assert system.deploy().sent == 3  # the implementation, the approval, the execution
    assert system.two()


def test_a_service_is_asked_before_it_is_told_and_its_signatures_are_taken(make: Make) -> None:
    system = make(both)
    with safe_service() as service:
        with (system.root / "manifests" / "local.toml").open("a") as manifest:
            manifest.write(f'[safe]\nservice-url = "{service.url}"\n')
        system.change()
        service.broken = True
        system.deploy(exit_code=3)
        assert service.posts == []
        assert any("gave no usable answer" in note for note in system.ui.notes)
        service.broken = False
        system.deploy(exit_code=3)
        system.deploy(exit_code=3)
        asked = system.proposed()
        assert service.posts == [f"/api/v1/safes/{system.safe}/multisig-transactions/"]
        assert list(service.transactions) == [asked["safeTxHash"]]
        stranger = system.chain.sign_typed(THIRD, asked["typedData"])
        service.confirm(asked["safeTxHash"], THIRD, stranger)
        service.confirm(asked["safeTxHash"], SECOND, system.chain.sign_typed(SECOND, asked["typedData"]))
        assert system.deploy().sent == 1
    assert system.two()
    assert {row["owner"]: row["source"] for row in system.rows("proposal.signed")} == {
        DEPLOYER: "signer", SECOND: "service"
    }  # fmt: skip
    assert any("is left out" in note for note in system.ui.notes)


def test_losing_the_race_to_execute_costs_gas_and_nothing_else(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    system = make(both)
    system.change()
    system.deploy(exit_code=3)
    asked = system.proposed()
    system.give(SECOND, asked)
    patient = Carrier.__post_init__

    def overtaken(self: Carrier) -> None:
        patient(self)
        send = self.send

        def after_somebody_else(action: Action) -> None:
            _execute(system, asked, [DEPLOYER, SECOND])
            send(action)

        self.send = after_somebody_else

    monkeypatch.setattr(Carrier, "__post_init__", overtaken)
    assert system.deploy().exit_code == 0
    assert system.two()
    (row,) = system.rows("proposal.executed")
    assert row["executed_by"] == "others"
    assert len(system.rows("tx.reverted")) == 1


AFTER = """
[calls.again]
to = "${contracts.Counter}"
call = "increment()"
after = ["Counter"]
"""


@pytest.mark.parametrize("by_us", [True, False])
def test_what_comes_after_a_proposal_has_the_next_nonce_whoever_executed_it(make: Make, by_us: bool) -> None:
    system = make(both)
    system.change()
    with (system.root / "ship.toml").open("a") as file:
        file.write(AFTER)
    before = system.nonce()
    system.deploy(exit_code=3)
    asked = system.proposed()
    if by_us:
        system.give(SECOND, asked)
    else:
        _execute(system, asked, [DEPLOYER, SECOND])
    assert system.deploy().sent == (2 if by_us else 1)
    assert system.two()
    assert system.chain.read(str(system.counter), "count()")[-1] == 8
    assert system.nonce() == before + (3 if by_us else 2)


def test_a_contract_whose_address_rests_on_the_nonce_keeps_ship_from_executing(make: Make) -> None:
    system = make(both)
    system.change()
    with (system.root / "ship.toml").open("a") as file:
        file.write(
            '\n[contracts.Later]\nsource = "src/Registry.sol:Registry"\nargs = ["${deployer}"]\nafter = ["Counter"]\n'
        )
    system.deploy(exit_code=3)
    asked = system.proposed()
    system.give(SECOND, asked)
    system.deploy(exit_code=3)
    assert any("rest on the deployer's nonce" in note for note in system.ui.notes)
    _execute(system, asked, [DEPLOYER, SECOND])
    outcome = system.deploy()
    assert outcome.sent == 1
    assert system.chain.code(str(outcome.units["Later"].address))


class Killed(BaseException):
    pass


@pytest.mark.parametrize("when", ["after its first row", "before its second row"])
def test_killed_at_every_row_the_same_command_finishes_with_each_step_once(
    make: Make, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """Oracles O1 to O4 and O7: each run gets one row further, then dies with or without what lies before the next."""
    system = make(both)
    system.change()
    system.deploy(exit_code=3)
    system.give(SECOND, system.proposed())
    before = system.nonce()
    append, written = Journal.append_all, [0]

    def dying(self: Journal, entries: Any) -> Any:
        if when == "before its second row" and written[0] == 1:
            raise Killed
        rows = append(self, entries)
        written[0] += 1
        if when == "after its first row":
            raise Killed
        return rows

    deaths = 0
    with monkeypatch.context() as patch:
        patch.setattr(Journal, "append_all", dying)
        while deaths < 20:
            written[0] = 0
            try:
                system.deploy()
                break
            except Killed:
                deaths += 1
    assert deaths >= 5
    assert system.two()
    assert system.nonce() == before + 1
    for kind in ("proposal.executing", "tx.signed", "proposal.executed"):
        done = [row for row in system.rows(kind) if str(row.get("proposal", row.get("action"))).startswith("safe.1")]
        assert len(done) == 1, kind
    assert system.deploy().sent == 0
