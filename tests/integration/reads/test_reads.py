"""Values read from the chain: put into the plan, and signed only while the chain still gives them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from chains.evm.abi import AbiType, decode
from chains.evm.proxies import encode_call
from chains.rpc import Endpoint, Rpc
from chains.tools import find_tool

SINK = Path(__file__).parents[2] / "projects" / "kitchen-sink"
SHIP = """schema = 1
[project]
name = "sink"
version = "1.0.0"

[contracts.Factory]
source = "src/Factory.sol:Factory"

[contracts.Owned]                       # owned by what the factory makes as it is created
source = "src/Owned.sol:Owned"
args = ["${read:Factory.firstborn()(address)}"]

[calls.make]
to = "${contracts.Factory}"
call = "make()"

[contracts.Bad]                         # one child by then, and one more
source = "src/Bad.sol:Bad"
args = ["${deployer}", { read = "count()(uint256)", on = "${contracts.Factory}" }]
after = ["make"]

[checks.owner]
on = "${contracts.Owned}"
call = "owner()(address)"
equals = { read = "firstborn()(address)", on = "${contracts.Factory}" }

[checks.share]
on = "${contracts.Bad}"
call = "share()(uint256)"
equals = 2
"""


def run_ship(*arguments: str) -> Result:
    import click

    from pipeline.cli.group import ship
    from pipeline.cli.guard import guarded

    @click.command(context_settings={"ignore_unknown_options": True}, add_help_option=False)
    @click.argument("rest", nargs=-1, type=click.UNPROCESSED)
    def shell(rest: tuple[str, ...]) -> None:
        sys.argv = ["ship", *rest]
        sys.exit(guarded(ship))

    return CliRunner().invoke(shell, list(arguments))


@dataclass
class Sink:
    root: Path
    rpc: Rpc

    def ship(self, *arguments: str) -> Result:
        return run_ship(*arguments, "-C", str(self.root))

    def deploy(self, *arguments: str, exit_code: int = 0) -> dict[str, Any]:
        result = self.ship("deploy", "--chain", "live", "--json", *arguments)
        assert result.exit_code == exit_code, result.output
        return dict(json.loads(result.stdout))

    def plan(self) -> list[dict[str, Any]]:
        result = self.ship("plan", "--chain", "live", "--json")
        assert result.exit_code == 0, result.output
        return list(json.loads(result.stdout)["body"]["actions"])

    def journal(self) -> list[dict[str, Any]]:
        text = (self.root / "deployments/live/journal.jsonl").read_text()
        return [json.loads(line) for line in text.splitlines()]

    def read(self, to: str, function: str, kind: str) -> Any:
        answer = self.rpc.read("eth_call", [{"to": to, "input": "0x" + encode_call(function, [], []).hex()}, "latest"])
        return decode([AbiType("", kind)], bytes.fromhex(answer[2:]))[0]

    def edit(self, old: str, new: str, file: str = "ship.toml") -> None:
        path = self.root / file
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))


@pytest.fixture(scope="module")
def node(forge: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("node")
    log = folder / "anvil.log"
    command = [find_tool("anvil", folder), "--host", "127.0.0.1", "--port", "0"]
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT) as process:
        deadline_s = time.monotonic() + 60
        try:
            while (found := re.search(r"Listening on (127\.0\.0\.1:\d+)", log.read_text())) is None:
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline_s, log.read_text()
                time.sleep(0.02)
            yield f"http://{found[1]}"
        finally:
            process.kill()


@pytest.fixture(scope="module")
def built(node: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("sink") / "sink"
    shutil.copytree(SINK, root)
    (root / "ship.toml").write_text(SHIP)
    (root / "manifests").mkdir()
    (root / "manifests/live.toml").write_text(
        f'schema = 1\nextends = "builtin:local"\n[rpc]\nendpoints = ["{node}"]\n[policy]\nwait-s = 20\n'
    )
    assert run_ship("build", "-C", str(root)).exit_code == 0
    return root


@pytest.fixture
def sink(built: Path, node: str, tmp_path: Path) -> Iterator[Sink]:
    """A copy of the project; what a test does to the chain is undone."""
    root = tmp_path / "sink"
    shutil.copytree(built, root)
    rpc = Rpc([Endpoint(node)])
    snapshot = rpc.read("evm_snapshot", [])
    yield Sink(root, rpc)
    assert rpc.read("evm_revert", [snapshot])


def test_what_earlier_actions_of_the_plan_decide_is_read_in_its_simulation(sink: Sink) -> None:
    units = sink.deploy()["units"]
    firstborn = sink.read(units["Factory"]["address"], "firstborn", "address")
    assert sink.read(units["Owned"]["address"], "owner", "address") == firstborn
    assert sink.read(units["Bad"]["address"], "share", "uint256") == 2


def test_the_plan_shows_what_each_action_rests_on(sink: Sink) -> None:
    actions = {action["id"]: action for action in sink.plan()}
    (reading,) = actions["Bad"]["reads"]
    assert (reading["call"], int(reading["answer"], 16), reading["settled"]) == ("count()(uint256)", 2, False)
    assert "reads" not in actions["make"]
    text = sink.ship("plan", "--chain", "live").output
    assert "rests on count()(uint256) of 0x" in text
    assert "once the transactions before it are mined" in text


def test_an_action_that_depends_on_earlier_ones_is_reserved_only_when_they_are_mined(sink: Sink) -> None:
    sink.deploy()
    events = [(row["kind"], row["data"]["action"]) for row in sink.journal() if row["kind"].startswith("tx.")]
    assert events.index(("tx.reserved", "Owned")) > events.index(("tx.mined", "Factory"))
    assert events.index(("tx.reserved", "Bad")) > events.index(("tx.mined", "make"))


def test_a_second_run_keeps_what_was_read_though_the_chain_would_answer_otherwise_now(sink: Sink) -> None:
    units = sink.deploy()["units"]
    make = "0x" + encode_call("make", [], []).hex()
    sender = sink.rpc.read("eth_accounts", [])[1]
    sink.rpc.read("eth_sendTransaction", [{"from": sender, "to": units["Factory"]["address"], "data": make}])
    assert sink.read(units["Factory"]["address"], "count", "uint256") == 3
    assert sink.deploy()["sent"] == 0


def test_what_nothing_in_the_plan_changes_is_read_as_it_is_and_waits_for_nobody(sink: Sink) -> None:
    bad = SHIP[SHIP.index("[contracts.Bad]") : SHIP.index("[checks.owner]")]
    checks = SHIP[SHIP.index("[checks.share]") :]
    path = sink.root / "ship.toml"
    path.write_text(SHIP.replace(bad, "").replace(checks, ""))
    sink.deploy()
    path.write_text(SHIP)
    (action,) = sink.plan()
    assert [reading["settled"] for reading in action["reads"]] == [True]
    assert sink.deploy()["sent"] == 1


def test_a_value_that_changed_after_the_approval_is_not_signed(sink: Sink) -> None:
    """Nothing is signed that is not in the plan: exit 4, and --replan takes the value of now."""
    bad = SHIP[SHIP.index("[contracts.Bad]") : SHIP.index("[checks.owner]")]
    path = sink.root / "ship.toml"
    share = SHIP[SHIP.index("[checks.share]") :]
    path.write_text(SHIP.replace(bad, "").replace(share, ""))
    factory = sink.deploy()["units"]["Factory"]["address"]
    path.write_text(SHIP.replace(share, ""))
    from pipeline.steps.deploy import Deploy

    run = Deploy.run

    def somebody_else_first(self: Any) -> Any:
        make = "0x" + encode_call("make", [], []).hex()
        sender = sink.rpc.read("eth_accounts", [])[1]
        sink.rpc.read("eth_sendTransaction", [{"from": sender, "to": factory, "data": make}])
        return run(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Deploy, "run", somebody_else_first)
        outcome = sink.deploy(exit_code=4)
    assert outcome["error"]["code"] == "SHIP-E51"
    assert "count()(uint256)" in outcome["error"]["cause"]
    assert outcome["sent"] == 0
    assert not any(row["kind"] == "tx.signed" and row["data"]["action"] == "Bad" for row in sink.journal())
    units = sink.deploy("--replan")["units"]
    assert sink.read(units["Bad"]["address"], "share", "uint256") == 3


def test_a_call_may_go_to_an_address_that_is_read(sink: Sink) -> None:
    sink.edit("[calls.make]", '[calls.own]\nto = { read = "firstborn()(address)", on = "${contracts.Factory}" }\n'
              'call = "number()"\n\n[calls.make]')  # fmt: skip
    outcome = sink.deploy()
    (row,) = [r for r in sink.journal() if r["kind"] == "tx.final" and r["data"]["action"] == "own"]
    firstborn = sink.read(outcome["units"]["Factory"]["address"], "firstborn", "address")
    sent = sink.rpc.read("eth_getTransactionByHash", [row["data"]["hash"]])
    assert sent["to"] == firstborn.lower()


def test_arguments_of_a_read_may_be_reads(sink: Sink) -> None:
    sink.edit("equals = 2", 'equals = { read = "count()(uint256)", on = "${contracts.Factory}" }')
    sink.edit("[checks.owner]", '[checks.nested]\non = { read = "firstborn()(address)", on = "${contracts.Factory}" }\n'
              'call = "parent()(address)"\nequals = "${contracts.Factory}"\n\n[checks.owner]')  # fmt: skip
    sink.deploy()


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ('{ read = "count()", on = "${contracts.Factory}" }', "returns one value"),
        ('{ read = "count()(uint256,uint256)", on = "${contracts.Factory}" }', "returns one value"),
        ('{ read = "count(uint256)(uint256)", on = "${contracts.Factory}" }', "takes 1 arguments, 0 are given"),
        ('{ read = "count()(uint256)", on = "${contracts.Factry}" }', "There is no"),
        ('"${read:Factry.count()(uint256)}"', "There is no"),
        ('"${read:Factory.count}"', "not a function to read"),
        ('{ read = "cuont()(uint256)", on = "${contracts.Factory}" }', "has no function"),
        ('{ read = "firstborn()(address)", on = "${contracts.Factory}" }', "gives a address, the parameter is a uint256"),
        ('{ read = "count()(uint256)", on = "0x00000000000000000000000000000000000000f1" }', "is no uint256"),
    ],
)  # fmt: skip
def test_a_read_that_cannot_be_is_refused_before_anything_is_sent(sink: Sink, value: str, said: str) -> None:
    sink.edit('{ read = "count()(uint256)", on = "${contracts.Factory}" }', value)
    result = sink.ship("plan", "--chain", "live")
    assert result.exit_code == 2, result.output
    assert said in result.output


def test_staged_sends_one_transaction_at_a_time(sink: Sink) -> None:
    """For chains that keep no pool: each is reserved when the one before is mined."""
    sink.edit("wait-s = 20", "wait-s = 20\nstaged = true", file="manifests/live.toml")
    sink.deploy()
    flow = [row["kind"] for row in sink.journal() if row["kind"] in {"tx.reserved", "tx.mined"}]
    assert flow == ["tx.reserved", "tx.mined"] * (len(flow) // 2)
    assert len(flow) >= 8
