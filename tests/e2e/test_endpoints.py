"""Two providers and a private relay, as a manifest names them: who is asked, who is believed, who gets what is signed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest
from eth_keyfile.keyfile import create_keyfile_json

from tests.support import fault_proxy as fp
from tests.support.anvil import KEY, Anvil, anvil
from tests.support.fault_proxy import SEND, FaultProxy
from tests.support.schemas import hold

pytestmark = pytest.mark.e2e

CHAIN_ID = 42_100
URL_KEY = "k3y0fAproviderThatNobodyMaySee"
"""Part of every URL, as providers have it."""


@dataclass
class System:
    """The counter project with a target `two`: one chain, two providers, each URL with its key in the environment."""

    ship: Any
    node: Anvil
    first: FaultProxy
    second: FaultProxy
    monkeypatch: pytest.MonkeyPatch

    def target(self, *rpc: str, finality: str = "1", wait_s: int = 60) -> None:
        lines = "\n".join(rpc)
        (self.ship.root / "manifests" / "two.toml").write_text(
            f'schema = 1\nchain = {{ name = "test", id = {CHAIN_ID}, block-time-ms = 200 }}\n'
            f'[rpc]\nendpoints = ["env:FIRST_URL", "env:SECOND_URL"]\n{lines}\n'
            '[signer]\nbackend = "keystore"\nfile = "key.json"\npassword = "file:password"\n'
            f"[policy]\nfinality = {finality}\nwait-s = {wait_s}\n"
        )

    def env(self, name: str, url: str) -> None:
        self.monkeypatch.setenv(name, f"{url}/v2/{URL_KEY}")

    def deploy(self, *, exit_code: int = 0) -> dict[str, Any]:
        """The outcome; the URLs' key stands in nothing that was printed or written."""
        done = self.ship("deploy", "--chain", "two", "--yes", "--json", exit_code=exit_code)
        assert URL_KEY not in done.stdout + done.stderr
        written = [path for path in self.ship.root.rglob("*") if path.is_file() and "node_modules" not in path.parts]
        assert written
        assert not [path for path in written if URL_KEY.encode() in path.read_bytes()]
        document: dict[str, Any] = json.loads(done.stdout)
        hold(document)
        return document

    def kinds(self) -> list[str]:
        journal = self.ship.root / "deployments" / "two" / "journal.jsonl"
        return [json.loads(line)["kind"] for line in journal.read_text().splitlines()] if journal.exists() else []

    def public_sends(self) -> int:
        return len(self.first.sent) + len(self.second.sent)


@pytest.fixture
def system(project: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[System]:
    ship = project("counter")
    key = create_keyfile_json(KEY, b"password", kdf="pbkdf2", iterations=1000)  # cheap: no production key
    (ship.root / "key.json").write_text(json.dumps(key))
    (ship.root / "password").write_text("password\n")
    (ship.root / "password").chmod(0o600)
    with ExitStack() as stack:
        node = stack.enter_context(anvil("--chain-id", str(CHAIN_ID)))
        first = stack.enter_context(fp.fault_proxy(node.url))
        second = stack.enter_context(fp.fault_proxy(node.url))
        made = System(ship, node, first, second, monkeypatch)
        made.env("FIRST_URL", first.url)
        made.env("SECOND_URL", second.url)
        made.target()
        yield made


@pytest.fixture
def relay(system: System) -> Iterator[FaultProxy]:
    """Takes eth_sendRawTransaction and nothing else, as private relays do."""
    with fp.fault_proxy(system.node.url) as running:
        system.env("RELAY_URL", running.url)
        yield running


def _only_sends(relay: FaultProxy) -> None:
    def act(proxy: FaultProxy, call: dict[str, Any]) -> dict[str, Any]:
        if call["method"] == SEND:
            return proxy.forward(call)
        return fp.fault(call, -32601, "the method is not available")

    relay.add(fp.Rule("relay", (), act, None))


def test_two_providers_are_both_heard_and_the_release_is_recorded(system: System) -> None:
    document = system.deploy()
    assert document["outcome"] == "done"
    assert (system.ship.root / document["record"]).exists()
    assert {*fp.RECEIPTS} & {*system.first.calls}
    assert {*fp.RECEIPTS} & {*system.second.calls}, "nothing is final before a second provider says so"
    assert system.deploy()["sent"] == 0


def test_one_provider_that_is_down_holds_up_the_conclusion_and_the_same_command_goes_on(system: System) -> None:
    system.target(wait_s=2)
    system.second.add(fp.http_status(503, "eth_getTransactionReceipt", times=None))
    assert system.deploy(exit_code=3)["outcome"] == "resumable"
    assert "tx.final" not in system.kinds()
    system.second.clear()
    system.target()
    assert system.deploy()["outcome"] == "done"
    assert system.node.nonce() == system.kinds().count("tx.final")


def test_a_private_relay_gets_every_transaction_and_the_public_endpoints_none(
    system: System, relay: FaultProxy
) -> None:
    system.target('submit = ["env:RELAY_URL"]')
    _only_sends(relay)
    document = system.deploy()
    assert document["sent"] == len(set(relay.sent)) > 0
    assert set(relay.calls) == {SEND, "eth_chainId"}, "nothing else is asked of a relay"
    assert system.public_sends() == 0


def test_a_relay_that_is_down_stops_the_run_rather_than_show_the_transactions(
    system: System, relay: FaultProxy
) -> None:
    system.target('submit = ["env:RELAY_URL"]', wait_s=2)
    relay.add(fp.drop_before(times=None))
    stopped = system.deploy(exit_code=3)
    assert stopped["error"]["remedy"]
    assert system.public_sends() == 0
    assert system.node.nonce() == 0
    assert "tx.signed" in system.kinds()
    relay.clear()
    _only_sends(relay)
    system.target('submit = ["env:RELAY_URL"]')
    assert system.deploy()["outcome"] == "done"
    assert system.public_sends() == 0
    assert system.node.nonce() == system.kinds().count("tx.final")


def test_with_submit_fallback_the_public_endpoints_get_what_the_relay_did_not_take(
    system: System, relay: FaultProxy
) -> None:
    system.target('submit = ["env:RELAY_URL"]', "submit-fallback = true")
    relay.add(fp.rpc_error(-32000, "not accepting", SEND, times=None))
    assert system.deploy()["outcome"] == "done"
    assert relay.sent == []
    assert system.public_sends() > 0


@pytest.mark.parametrize("which", ["FIRST_URL", "SECOND_URL"])
def test_a_provider_of_another_chain_with_the_same_id_is_refused(system: System, which: str) -> None:
    with (
        anvil("--chain-id", str(CHAIN_ID), "--timestamp", "1700000000") as other,
        fp.fault_proxy(other.url) as endpoint,
    ):
        genesis = [n.call("eth_getBlockByNumber", "0x0", False)["hash"] for n in (system.node, other)]
        assert genesis[0] != genesis[1]
        system.env(which, endpoint.url)
        refused = system.deploy(exit_code=2)
        assert refused["error"]["code"] == "SHIP-N03"
        assert "genesis" in refused["error"]["cause"]
        assert (system.node.nonce(), other.nonce()) == (0, 0)
        assert "tx.reserved" not in system.kinds()


@pytest.mark.parametrize("liar", ["first", "second"])
def test_a_provider_that_calls_the_newest_block_final_is_not_believed(system: System, liar: str) -> None:
    system.target(finality='"finalized"', wait_s=2)

    def lie(proxy: FaultProxy, call: dict[str, Any]) -> dict[str, Any]:
        return proxy.forward({**call, "params": ["latest" if p == "finalized" else p for p in call["params"]]})

    getattr(system, liar).add(fp.Rule("all is final", ("eth_getBlockByNumber",), lie, None))
    stopped = system.deploy(exit_code=3)
    assert stopped["error"]["code"] == "SHIP-E22"
    assert "tx.mined" in system.kinds()
    assert "tx.final" not in system.kinds()
    system.node.mine(200)
    nonce = system.node.nonce()
    assert system.deploy()["outcome"] == "done"
    assert system.node.nonce() == system.kinds().count("tx.final") >= nonce


def test_doctor_names_providers_by_host_alone(system: System) -> None:
    done = system.ship("doctor", "--chain", "two", "--json")
    assert URL_KEY not in done.stdout + done.stderr
    assert system.first.url.removeprefix("http://") in done.stdout
