"""A release whose sources three explorers show: servers that recompile what they are given, and ship as a whole process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from eth_keyfile.keyfile import create_keyfile_json

from chains.evm.hashing import keccak256
from chains.rpc import Endpoint
from tests.support.anvil import DEPLOYER, KEY, ROOT, anvil, tool
from tests.support.explorers import faults
from tests.support.explorers.blockscout import blockscout
from tests.support.explorers.compiling import Worker, worker
from tests.support.explorers.desk import Desk
from tests.support.explorers.etherscan import KEY as API_KEY
from tests.support.explorers.etherscan import etherscan
from tests.support.explorers.indexing import IndexedChain
from tests.support.explorers.serving import Service
from tests.support.explorers.sourcify import sourcify
from tests.support.schemas import hold

Project = Callable[[str], Any]

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("explorers")]

CHAIN_ID = 31337
SERVICES = ("etherscan", "blockscout", "sourcify")


@pytest.fixture(scope="module")
def compiling() -> Iterator[Worker]:
    with worker() as running:
        yield running


@dataclass
class Town:
    """A chain, its explorers, and a project that is released to it."""

    ship: Any
    url: str
    services: dict[str, Service]
    desks: dict[str, Desk]
    manifest: str

    def verify(self, *arguments: str, exit_code: int = 0) -> Any:
        return self.ship("verify", "--chain", "local", *arguments, exit_code=exit_code)

    def shown(self, document: dict[str, Any]) -> dict[tuple[str, str], str]:
        return {(one["service"], one["title"]): one["verdict"] for one in document["services"]}

    def handed_in(self) -> int:
        return sum(len(desk.jobs) for desk in self.desks.values())

    def target(self, *lines: str) -> None:
        table = [
            f'etherscan = {{ api-key = "env:SCAN_KEY", url = "{self.services["etherscan"].url}/v2/api", rate-per-s = 100 }}',
            f'blockscout = {{ url = "{self.services["blockscout"].url}/api", rate-per-s = 100 }}',
            f'sourcify = {{ url = "{self.services["sourcify"].url}", rate-per-s = 100 }}',
            *lines,
        ]
        text = f'{self.manifest}\n[rpc]\nendpoints = ["{self.url}"]\n[verify]\n' + "\n".join(table) + "\n"
        (self.ship.root / "manifests/local.toml").write_text(text)


@pytest.fixture
def town(project: Project, compiling: Worker, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Town]]:
    with ExitStack() as stack:

        def make(name: str, *lines: str) -> Town:
            node = stack.enter_context(anvil("--chain-id", str(CHAIN_ID)))
            chain = IndexedChain(CHAIN_ID, node.url)
            scan, one = stack.enter_context(etherscan(compiling, {CHAIN_ID: chain}))
            scout, two = stack.enter_context(blockscout(compiling, chain))
            fy, three = stack.enter_context(sourcify(compiling, {CHAIN_ID: chain}))
            ship = project(name)
            manifest = ship.root / "manifests/local.toml"
            before = manifest.read_text()
            stack.callback(manifest.write_text, before)
            monkeypatch.setenv("SCAN_KEY", API_KEY)
            services = dict(zip(SERVICES, (scan, scout, fy), strict=True))
            desks = dict(zip(SERVICES, (one.desk, two.desk, three.desk), strict=True))
            made = Town(ship, node.url, services, desks, before)
            made.target(*lines)
            return made

        yield make


def test_a_release_is_shown_everywhere_and_recorded_so(town: Callable[..., Town]) -> None:
    here = town("counter", 'license = "MIT"')
    done = here.ship.deploy()
    assert done["outcome"] == "done"
    record = json.loads((here.ship.root / done["record"]).read_text())
    shown = {(one["service"], one["of"].rpartition(":")[2] or one["of"]): one["verdict"] for one in record["sources"]}
    for service in SERVICES:
        assert (shown[service, "Registry"], shown[service, "Counter"]) == ("exact", "exact"), shown
    links = [one for one in record["sources"] if one["what"] == "proxy"]
    assert [(one["service"], one["verdict"]) for one in links] == [("etherscan", "exact")]
    assert here.desks["etherscan"].twice == []

    before = here.handed_in()
    again = json.loads(here.verify("--json").stdout)
    hold(again)
    assert set(here.shown(again).values()) == {"already"}
    assert here.handed_in() == before
    assert here.ship.deploy()["sent"] == 0
    report = json.loads(here.ship("verify", "--all", "--report", "--json").stdout)
    hold(report)
    assert [target["target"] for target in report["targets"]] == ["local"]
    here.ship("record", "verify")
    _no_key(here)


def test_the_vault_with_its_library_and_three_kinds_of_proxy(town: Callable[..., Town]) -> None:
    """A linked library, uups, transparent and beacon proxies, a factory's salt."""
    here = town("vault")
    record = json.loads((here.ship.root / here.ship.deploy()["record"]).read_text())
    sources = [one for one in record["sources"] if one["what"] == "source"]
    assert len({one["address"] for one in sources}) == 13  # the ProxyAdmin that a transparent proxy made, too
    poor = {(one["service"], one["of"], one["verdict"], one["reason"]) for one in sources if one["verdict"] != "exact"}
    # An input that names a library has other metadata than the code it was linked into afterwards.
    assert {(service, verdict) for service, _, verdict, _ in poor} == {
        ("etherscan", "partial"),
        ("blockscout", "partial"),
    }


def test_after_an_upgrade_the_proxy_is_linked_to_its_new_implementation(town: Callable[..., Town]) -> None:
    here = town("counter")
    here.ship.deploy()
    added = "    function added() external pure returns (uint256) { return 2; }\n\n    function increment()"
    here.ship.edit("src/Counter.sol", "    function increment()", added)
    here.ship.edit("ship.toml", 'version = "1.0.0"', 'version = "1.1.0"')
    done = here.ship.deploy()
    assert done["sent"] == 2  # the implementation, and the call to it
    record = json.loads((here.ship.root / done["record"]).read_text())
    (link,) = [
        one
        for one in record["sources"]
        if one["what"] == "proxy" and one["of"] == record["units"]["Counter"]["implementation"]
    ]
    assert (link["service"], link["verdict"]) == ("etherscan", "exact")


def _no_key(here: Town) -> None:
    for path in here.ship.root.rglob("*"):
        if path.is_file() and "node_modules" not in path.parts:
            assert API_KEY.encode() not in path.read_bytes(), path
    assert API_KEY not in here.verify().stdout + here.verify().stderr


def test_killed_between_handing_in_and_the_verdict_the_same_command_polls_on(town: Callable[..., Town]) -> None:
    here = town("counter")
    for desk in here.desks.values():
        desk.pending = 200
    process = here.ship.start("deploy", "--chain", "local", "--json")
    journal = here.ship.root / "deployments/local/journal.jsonl"
    deadline_s = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < deadline_s:
        if journal.exists() and journal.read_text().count('"verify.submitted"') >= 4:
            break
        time.sleep(0.01)
    process.kill()
    process.communicate()
    known = journal.read_text()
    assert known.count('"verify.submitted"') >= 4
    for desk in here.desks.values():
        desk.pending = 1
        for job in desk.jobs.values():
            job.questions = 1_000
    done = here.ship.deploy()
    record = json.loads((here.ship.root / done["record"]).read_text())
    assert {one["verdict"] for one in record["sources"]} <= {"exact", "already"}
    for desk in here.desks.values():
        # A ticket whose reply was still under way when the run was killed nobody could know of; every other is polled on.
        assert [job for job in desk.twice if job.id in known] == [], "handed in again while it was being worked on"
    contracts = [(desk, job.address) for desk in here.desks.values() for job in desk.jobs.values()]
    assert len(contracts) == len({(id(desk), address) for desk, address in contracts}), "handed in twice"


def test_what_a_service_says_changes_no_deployment_unless_the_target_asks(town: Callable[..., Town]) -> None:
    here = town("counter", "wait-s = 12")  # long enough for the one that is well, whatever else runs
    here.desks["sourcify"].false_successes = 100
    here.services["blockscout"].faults.add(faults.status(502, times=None))
    done = here.ship.deploy()  # final all the same
    record = json.loads((here.ship.root / done["record"]).read_text())
    verdicts = {one["service"]: one["verdict"] for one in record["sources"] if one["of"].endswith(":Registry")}
    assert verdicts == {"etherscan": "exact", "blockscout": "unknown", "sourcify": "unknown"}
    open_ = here.verify("--json", exit_code=3)
    assert "SHIP-V22" in open_.stderr
    here.desks["sourcify"].false_successes = 0
    here.services["blockscout"].faults.clear()
    here.target("wait-s = 60")
    assert set(here.shown(json.loads(here.verify("--json").stdout)).values()) <= {"already", "exact"}


def test_a_target_may_require_that_its_sources_are_shown(town: Callable[..., Town]) -> None:
    refused = town("counter", "wait-s = 3", "required = true")
    refused.services["sourcify"].faults.add(faults.status(503, times=None))
    error = refused.ship.deploy(exit_code=3)["error"]
    assert error["code"] == "SHIP-V20"
    refused.services["sourcify"].faults.clear()
    assert refused.ship.deploy()["outcome"] == "done"


def test_a_wrong_key_and_a_missing_one_are_found_before_anything_is_sent_or_at_once(
    town: Callable[..., Town], monkeypatch: pytest.MonkeyPatch
) -> None:
    here = town("counter", "wait-s = 20")
    monkeypatch.delenv("SCAN_KEY")
    missing = here.ship.deploy(exit_code=2)
    assert missing["sent"] == 0
    monkeypatch.setenv("SCAN_KEY", "another-canary-key")
    done = here.ship.deploy()
    record = json.loads((here.ship.root / done["record"]).read_text())
    scan = [one for one in record["sources"] if one["service"] == "etherscan"]
    assert {one["verdict"] for one in scan} == {"unknown"}
    asked = [a for a in here.services["etherscan"].asked if a.request.key == "another-canary-key"]
    assert len(asked) <= 5, "a refused key is not tried on and on: the service would lock it out"


def test_nothing_is_handed_in_that_our_own_proof_refutes(town: Callable[..., Town]) -> None:
    here = town("counter")
    for name in SERVICES:
        here.services[name].faults.add(faults.status(503, times=None))
    here.target("wait-s = 1")
    units = here.ship.deploy()["units"]
    for name in SERVICES:
        here.services[name].faults.clear()
    Endpoint(here.url).batch([("anvil_setCode", [units["Registry"]["address"], "0x6001600155"])])
    here.target("wait-s = 60")
    refused = here.verify("--json", exit_code=4)
    assert "SHIP-V10" in refused.stderr
    titles = {one["title"] for one in json.loads(refused.stdout)["services"]}
    assert "Registry" not in titles
    assert all(
        job.address.lower() != units["Registry"]["address"].lower()
        for d in here.desks.values()
        for job in d.jobs.values()
    )


LINK = """// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;
contract Link { address public immutable prev; constructor(address prev_) { prev = prev_; } }
"""
COUNT, RATE_PER_S = 30, 20


def test_thirty_contracts_on_three_chains_at_three_services_within_one_keys_allowance(
    compiling: Worker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One run, one bucket: whatever the target or thread, the key's allowance holds in every second."""
    monkeypatch.setenv("SCAN_KEY", API_KEY)
    ids = [31337, 84532, 11155111]
    with ExitStack() as stack:
        nodes = {number: stack.enter_context(anvil("--chain-id", str(number))) for number in ids}
        chains = {number: IndexedChain(number, node.url) for number, node in nodes.items()}
        scan, one = stack.enter_context(etherscan(compiling, chains, rate_per_s=RATE_PER_S))
        fy, two = stack.enter_context(sourcify(compiling, chains))
        scouts = {number: stack.enter_context(blockscout(compiling, chains[number])) for number in ids}
        root = tmp_path / "crowd"
        for folder in ("src", "manifests"):
            (root / folder).mkdir(parents=True)
        (root / "foundry.toml").write_text('[profile.default]\nsolc = "0.8.37"\n')
        (root / "src/Link.sol").write_text(LINK)
        lines = ["schema = 1", "[project]", 'name = "crowd"', 'version = "1.0.0"', "[evm]", 'root = "."']
        for number in range(COUNT):
            before = f"${{contracts.Link{number - 1}}}" if number else "0x" + "00" * 20
            lines += [f"[contracts.Link{number}]", 'source = "src/Link.sol:Link"', f'args = ["{before}"]']
        (root / "ship.toml").write_text("\n".join(lines) + "\n")
        (root / "key.json").write_text(
            json.dumps(create_keyfile_json(KEY, b"crowd-password", kdf="pbkdf2", iterations=2))
        )
        (root / "password").write_text("crowd-password\n")
        (root / "password").chmod(0o600)
        for number, node in nodes.items():
            (root / f"manifests/chain{number}.toml").write_text(
                f'schema = 1\nchain = {{ name = "crowd{number}", id = {number}, block-time-ms = 100 }}\n'
                f'[rpc]\nendpoints = ["{node.url}", "{node.url.replace("127.0.0.1", "localhost")}"]\n'
                f'[signer]\nbackend = "keystore"\nfile = "key.json"\npassword = "file:password"\naddress = "{DEPLOYER}"\n'
                "[policy]\nfinality = 1\nwindow = 1000\n[verify]\nwait-s = 300\n"
                f'etherscan = {{ api-key = "env:SCAN_KEY", url = "{scan.url}/v2/api", rate-per-s = {RATE_PER_S} }}\n'
                f'blockscout = {{ url = "{scouts[number][0].url}/api", rate-per-s = 100 }}\n'
                f'sourcify = {{ url = "{fy.url}", rate-per-s = 100 }}\n'
            )
        names = ",".join(f"chain{number}" for number in ids)
        done = subprocess.run(
            [sys.executable, "-c", "from pipeline.cli import main; main()", "deploy", "--chain", names, "--yes", "--json"],
            cwd=root, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False, timeout=400,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        for number in ids:
            record = json.loads((root / f"releases/v1.0.0/chain{number}.json").read_text())
            verdicts = Counter((one["service"], one["verdict"]) for one in record["sources"])
            assert {service for service, _ in verdicts} == {*SERVICES}
            assert {verdict for _, verdict in verdicts} <= {"exact", "already"}, verdicts
            assert sum(verdicts.values()) == COUNT * len(SERVICES)
        assert scan.peak(API_KEY) <= RATE_PER_S
        assert one.desk.twice == two.desk.twice == []


FACTORY = """// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;
contract Child { uint256 public immutable number; address public immutable maker;
  constructor(uint256 n) { number = n; maker = msg.sender; } }
contract Factory { event Made(address child);
  function make(uint256 n) external returns (Child child) { child = new Child(n); emit Made(address(child)); } }
"""


def _mined(node: Endpoint, transaction: str) -> dict[str, Any]:
    deadline_s = time.monotonic() + 30
    while time.monotonic() < deadline_s:
        (receipt,) = node.batch([("eth_getTransactionReceipt", [transaction])])
        if isinstance(receipt, dict):
            return receipt
        time.sleep(0.02)
    raise AssertionError("it is not mined")


def test_what_forge_created_and_what_a_factory_made_are_verified_by_address(town: Callable[..., Town]) -> None:
    here = town("counter")
    (here.ship.root / "src/Factory.sol").write_text(FACTORY)
    environment = {**here.ship.environment(), "HOME": str(_tools() / "home"), "FOUNDRY_OFFLINE": "true"}
    created = subprocess.run(
        [str(tool("forge")), "create", "src/Factory.sol:Factory", "--rpc-url", here.url, "--private-key", "0x" + KEY.hex(),
         "--broadcast", "--json"],
        cwd=here.ship.root, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert created.returncode == 0, created.stderr
    factory = json.loads(created.stdout[created.stdout.index("{") :])["deployedTo"]
    node = Endpoint(here.url)
    call = {"from": DEPLOYER, "to": factory, "data": _selector("make(uint256)") + f"{42:064x}"}
    (sent,) = node.batch([("eth_sendTransaction", [call])])
    receipt = _mined(node, sent)
    child = "0x" + receipt["logs"][0]["data"][-40:]

    for address, contract in ((factory, "src/Factory.sol:Factory"), (child, "src/Factory.sol:Child")):
        found = json.loads(here.verify("--address", address, "--contract", contract, "--json").stdout)
        hold(found)
        assert set(here.shown(found).values()) == {"exact"}, found
    other = here.verify("--address", factory, "--contract", "src/Factory.sol:Child", exit_code=4)
    assert "SHIP-V23" in other.stderr
    assert "SHIP" in here.verify("--address", DEPLOYER, "--contract", "src/Factory.sol:Child", exit_code=2).stderr


def _selector(signature: str) -> str:
    return "0x" + keccak256(signature.encode())[:4].hex()


def _tools() -> Path:
    return Path(tool("forge")).parents[1]
