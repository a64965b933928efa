"""``ship rpc-signer``: the real ``forge script --broadcast --unlocked`` sends, ship journals, checks and signs."""

from __future__ import annotations

import json
import os
import re
import subprocess
import threading
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from chains.errors import ShipError
from chains.evm.address import create_address
from chains.evm.loopback import loopback
from chains.rpc import Endpoint, Rpc, RpcFault
from chains.tools import forge_environment, require_tool
from pipeline.deploying import Deployment
from pipeline.options import DeployOptions
from pipeline.outcome import Outcome
from pipeline.signing.password import PasswordOptions
from pipeline.ui.plain import PlainUi

DEPLOYER = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
SOURCES = {
    "src/System.sol": """
library Sums { function add(uint a, uint b) public pure returns (uint) { return a + b; } }
contract Child { uint public immutable n; constructor(uint n_) { n = n_; } }
contract Factory { Child public last; function make(uint n) external returns (Child) { last = new Child(n); return last; } }
contract Adder { uint public sum; constructor(uint a, uint b) payable { sum = Sums.add(a, b); } }
contract Salted { function hi() external pure returns (uint) { return 1; } }
contract First { uint public x = 1; }
contract Last { uint public x = 2; }
""",
    "script/Seed.s.sol": """
import "../src/System.sol";
interface Vm { function startBroadcast() external; function stopBroadcast() external; }
contract Seed {
    Vm constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
    function run() external {
        vm.startBroadcast();
        Factory factory = new Factory();
        factory.make(7);
        new Adder{value: 1}(1, 2);
        new Salted{salt: bytes32(uint256(5))}();
        vm.stopBroadcast();
    }
}
""",
}
UNITS = """
[contracts.First]
source = "src/System.sol:First"
[scripts.Seed]
source = "script/Seed.s.sol:Seed"
after = ["First"]
[contracts.Last]
source = "src/System.sol:Last"
after = ["Seed"]
"""


class Serving:
    """``ship rpc-signer`` in a thread; ``url`` once it is the script's turn."""

    def __init__(self, root: Path, target: str) -> None:
        self.said = StringIO()
        self.outcome: Outcome | None = None
        options = DeployOptions(yes=True, password=PasswordOptions(), serve_port=0)
        self.run = Deployment(root, target, options, PlainUi(self.said), self._show)
        self.thread = threading.Thread(target=self._go)
        self.thread.start()

    def _go(self) -> None:
        self.outcome = self.run.run()

    def _show(self, error: ShipError) -> None:
        self.said.write(f"\n{error.code}: {error.cause}")

    @property
    def url(self) -> str:
        while self.thread.is_alive():
            if match := re.search(r"serving at (http://127\.0\.0\.1:\d+/\S+);", self.said.getvalue()):
                return match[1]
            self.thread.join(0.05)
        raise AssertionError(self.said.getvalue())

    def done(self) -> Outcome:
        self.thread.join(120)
        assert self.outcome, self.said.getvalue()
        return self.outcome


@pytest.fixture
def seeded(small: Callable[..., Any], anvil: Callable[..., Any]) -> tuple[Any, Any]:
    node = anvil()
    project = small(UNITS, SOURCES)
    project.write(
        **{
            "manifests/far.toml": f'schema = 1\nextends = "builtin:local"\n[rpc]\nendpoints = ["{node.url}"]\n[policy]\nwait-s = 20\n'
        }
    )
    return project, node


def forge_script(project: Any, url: str) -> subprocess.CompletedProcess[str]:
    forge = require_tool("forge", project.root)
    command = [str(forge.path), "script", "script/Seed.s.sol:Seed", "--rpc-url", url, "--sender", DEPLOYER]
    return subprocess.run(
        [*command, "--unlocked", "--broadcast"], cwd=project.root, env=forge_environment(project.root),
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip


def test_forge_broadcasts_and_everything_is_journaled_proven_and_recorded(seeded: tuple[Any, Any]) -> None:
    project, node = seeded
    serving = Serving(project.root, "far")
    forge = forge_script(project, serving.url)
    outcome = serving.done()
    assert forge.returncode == 0, forge.stdout + forge.stderr + serving.said.getvalue()
    assert outcome.exit_code == 0, serving.said.getvalue()
    assert outcome.sent == 7
    receipts = json.loads((project.root / "broadcast/Seed.s.sol/31337/run-latest.json").read_text())["receipts"]
    rows = [json.loads(line) for line in (project.root / "deployments/far/journal.jsonl").read_text().splitlines()]
    signed = [row["data"]["hash"] for row in rows if row["kind"] == "tx.signed"]
    assert [receipt["transactionHash"] for receipt in receipts] == signed[1:-1]
    assert int(node.rpc("eth_getTransactionCount", DEPLOYER, "latest"), 16) == 7
    proven = {proof["action"] for proof in project.record(target="far")["proofs"]}
    assert {"First", "Seed.Sums", "Seed.Factory", "Seed.Adder", "Seed.Salted", "Last"} <= proven
    again, said = project.deploy("far")
    assert (again.exit_code, again.sent) == (0, 0), said


def test_nothing_but_the_plans_next_transaction_is_signed(seeded: tuple[Any, Any]) -> None:
    project, node = seeded
    serving = Serving(project.root, "far")
    client = Rpc([Endpoint(serving.url)])
    before = int(node.rpc("eth_getTransactionCount", DEPLOYER, "latest"), 16)
    for other in (
        {"from": DEPLOYER, "to": "0x000000000000000000000000000000000000dEaD", "value": "0x1"},
        {"from": DEPLOYER, "input": "0x6001600c60003960016000f300"},
        {"from": "0x70997970C51812dc3A010C7d01b50e0d17dc79C8", "input": "0x00"},
        {},
    ):
        with pytest.raises(RpcFault, match="Nothing was signed"):
            client.read("eth_sendTransaction", [other])
    with pytest.raises(RpcFault, match="signed elsewhere"):
        client.read("eth_sendRawTransaction", ["0x00"])
    with pytest.raises(RpcFault, match="not served here"):
        client.read("anvil_setBalance", [DEPLOYER, "0x0"])
    assert int(node.rpc("eth_getTransactionCount", DEPLOYER, "latest"), 16) == before == 1
    outcome = serving.done()
    # Forge never came: the run stops in a state the ordinary command carries on from, without forge.
    assert outcome.exit_code == 3, serving.said.getvalue()
    finished, said = project.deploy("far")
    assert (finished.exit_code, finished.sent) == (0, 6), said


def test_the_server_is_not_for_web_pages(anvil: Callable[..., Any]) -> None:
    import urllib3

    node = anvil()
    with loopback(Rpc([Endpoint(node.url)])) as url:
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": []})
        http = urllib3.PoolManager()
        assert http.request("POST", url, body=body).status == 200
        assert http.request("POST", url, body=body, headers={"origin": "https://example.org"}).status == 403
        assert http.request("POST", url, body=body, headers={"host": "example.org:80"}).status == 403
        assert http.request("POST", url.rpartition("/")[0], body=body).status == 403
        assert http.request("POST", url, body="{").status == 400
        http.clear()


def test_environment_of_forge_holds_no_key() -> None:
    os.environ.setdefault("ETH_PRIVATE_KEY", "0x1")
    assert "ETH_PRIVATE_KEY" not in forge_environment(Path.cwd())


def test_addresses_by_nonce_are_the_plans(seeded: tuple[Any, Any]) -> None:
    project, _ = seeded
    plan = project.plan("far")
    assert [a.address for a in plan.body.actions if a.kind == "create"] == [
        create_address(DEPLOYER, a.nonce) for a in plan.body.actions if a.kind == "create"
    ]
