"""Review packs of real projects: what a signer gets, and what another machine says of it."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from chains.evm.address import checksum
from tests.e2e.test_safe import DEPLOYER, FEE_POLICY_V2, SECOND, UPGRADER, Vault
from tests.support.safes import Chain

Project = Callable[[str], Any]
SCHEMAS = Path(__file__).parents[2] / "docs" / "schema"

pytestmark = pytest.mark.e2e


class Packed:
    """The pack of a project's next deployment, and a reviewer elsewhere: no project, the node's URL, the pack alone."""

    def __init__(self, ship: Any, url: str, elsewhere: Path) -> None:
        self.ship = ship
        self.url = url
        self.elsewhere = elsewhere
        ship("plan", "--chain", "local", "--out", "pack")
        elsewhere.mkdir()
        self.folder = elsewhere / "pack"
        self.fresh()

    def fresh(self) -> None:
        """The pack as it was made."""
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(self.ship.root / "pack", self.folder)

    def read(self, name: str) -> Any:
        return json.loads((self.folder / name).read_text())

    def review(self, *arguments: str, exit_code: int = 0) -> dict[str, Any]:
        """The document of ``ship review --json``, by a process in another folder."""
        done = subprocess.run(
            self.ship.command("review", str(self.folder), "--rpc", self.url, "--json", *arguments),
            cwd=self.elsewhere,
            env=self.ship.environment(),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == exit_code, done.stdout + done.stderr
        document: dict[str, Any] = json.loads(done.stdout)
        held(document, "review" if document["kind"] == "contract-ship/review" else "error")
        return document


def held(document: Any, schema: str) -> None:
    rules = json.loads((SCHEMAS / f"{schema}.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(rules)
    jsonschema.validate(document, rules, cls=jsonschema.Draft202012Validator)


@pytest.fixture
def url() -> Callable[[Any], str]:
    """Starts a project's local chain and keeps it."""
    return lambda ship: str(ship("localnet", "up").stdout.split()[3])


@pytest.fixture
def packed(project: Project, url: Callable[[Any], str], tmp_path: Path) -> Packed:
    ship = project("vault")
    return Packed(ship, url(ship), tmp_path / "elsewhere")


def test_the_vaults_pack_explains_all_of_it_and_another_machine_agrees(packed: Packed) -> None:
    for name in ("pack", "transactions", "state", "events", "signing"):
        held(packed.read(f"{name}.json"), "review-pack" if name == "pack" else f"review-{name}")
    state = packed.read("state.json")
    slots = [slot for account in state["accounts"] for slot in account["slots"]]
    assert {slot["known"] for slot in slots} == {"explained"}
    paths = {f"{a['name']}.{v['path']}" for a in state["accounts"] for s in a["slots"] for v in s["variables"]}
    keeper = next(a["address"] for a in state["accounts"] if a["name"] == "Keeper")
    assert {
        f"Vault.openzeppelin.storage.AccessControl._roles[KEEPER_ROLE].hasRole[{keeper}]",
        "Vault.acme.storage.Vault.strategy",
        "Vault.eip1967.proxy.implementation",
        "FeePolicy.eip1967.proxy.admin",
        "Strategy.eip1967.proxy.beacon",
        "Strategy.beacon._implementation",
        "Registry._entries[VAULT]",
        "AcmeToken._name",
        "Timelock._minDelay",
    } <= paths

    transactions = packed.read("transactions.json")["transactions"]
    assert len(transactions) == 19
    assert all(t["recognized"] for t in transactions)
    assert [t["kind"] for t in transactions].count("create2") == 1
    events = packed.read("events.json")
    assert all(event["event"] for event in events["events"])
    assert {"RoleGranted", "RoleRevoked", "OwnershipTransferred", "Upgraded"} <= {r["change"] for r in events["rights"]}
    assert sum(int(t["change"]) for t in events["balances"]["tokens"]) == 10**25

    page = (packed.folder / "plan.md").read_text()
    assert all(c == "\n" or c.isprintable() for c in page)
    for account in state["accounts"]:
        assert account["address"] in page
    assert packed.read("pack.json")["plan"] in page

    review = packed.review()
    assert review["agrees"]
    assert review["plan"] == packed.read("pack.json")["plan"]
    built = packed.ship.root / ".ship" / "bundles" / packed.read("pack.json")["bundle"]
    assert packed.review("--bundle", str(built))["agrees"]
    assert "the pack agrees" in packed.ship("review", "pack").stdout

    # The same state gives the same bytes, and what was reviewed is what is deployed.
    before = {p.name: p.read_bytes() for p in packed.folder.iterdir() if p.is_file()}
    packed.ship("plan", "--chain", "local", "--out", "pack")
    assert before == {p.name: p.read_bytes() for p in (packed.ship.root / "pack").iterdir() if p.is_file()}
    packed.ship.deploy("--plan", "pack/plan.json", "--yes")
    for account in state["accounts"]:
        for slot in account["slots"]:
            found = Chain(packed.url).ask("eth_getStorageAt", account["address"], slot["slot"], "latest")
            assert int(found, 16) == int(slot["after"], 16), (account["name"], slot)

    # Now the chain has moved: the plan is done, and the review says that this is why.
    moved = packed.review(exit_code=2)
    assert moved["head"] > moved["block"]
    assert all(d["moved"] for d in moved["differences"])
    assert "next nonce" in moved["differences"][0]["what"]


def changed(path: Path, change: Callable[[Any], None]) -> None:
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document, indent=2, sort_keys=True) + "\n")


def _owner(document: Any) -> None:
    document["transactions"][0]["arguments"][0]["value"] = SECOND


def _role(document: Any) -> None:
    del document["accounts"][-1]["slots"][0]


def _payload(document: Any) -> None:
    """Another recipient of a role, with a digest that fits: the plan's words stay as they were."""
    action = next(a for a in document["body"]["actions"] if a["id"] == "grantKeeper")
    keeper = action["args"][1]["value"][2:].lower()
    action["data"] = action["data"].replace(keeper, SECOND[2:].lower())
    signed = f"{action['to'].lower()}:{action['value_wei']}:".encode() + bytes.fromhex(action["data"][2:])
    action["payload_sha256"] = hashlib.sha256(signed).hexdigest()


def test_whatever_was_changed_in_a_pack_is_named(packed: Packed) -> None:
    def files(review: dict[str, Any], text: str) -> set[str]:
        assert any(text in d["what"] for d in review["differences"]), review["differences"]
        assert not any(d["moved"] for d in review["differences"])
        return {d["file"] for d in review["differences"]}

    changed(packed.folder / "transactions.json", _owner)
    found = packed.review(exit_code=2)
    assert files(found, "transactions[0].arguments[0].value: the pack has") == {"transactions.json"}

    packed.fresh()
    changed(packed.folder / "state.json", _role)
    assert files(packed.review(exit_code=2), "slots[") == {"state.json"}

    packed.fresh()
    page = packed.folder / "plan.md"
    page.write_text(page.read_text().replace(DEPLOYER, SECOND, 1))
    assert files(packed.review(exit_code=2), "line ") == {"plan.md"}

    packed.fresh()
    changed(packed.folder / "plan.json", _payload)
    found = packed.review(exit_code=2)
    assert "plan.json" in files(found, "grantKeeper: the plan says")
    assert any(d["what"].startswith("its digest is") for d in found["differences"])

    packed.fresh()
    (packed.folder / "plan.json").write_text("{}")
    assert files(packed.review(exit_code=2), "not a plan") == {"plan.json"}

    packed.fresh()
    changed(packed.folder / "pack.json", lambda document: document["block"].update(number=7))
    assert files(packed.review(exit_code=2), "block.number") == {"pack.json"}

    packed.fresh()
    artifact = next(packed.folder.glob("bundle/*/artifacts/Vault-*.json"))
    changed(artifact, lambda document: document["abi"].pop())
    assert files(packed.review(exit_code=2), artifact.name) == {"bundle"}

    packed.fresh()
    (packed.folder / "events.json").unlink()
    assert files(packed.review(exit_code=2), "is missing") == {"events.json"}

    shutil.rmtree(packed.folder)
    refused = packed.review(exit_code=2)
    assert refused["error"]["code"] == "SHIP-Y04"


def test_another_bundle_and_another_chain_are_refused(packed: Packed, tmp_path: Path) -> None:
    other = tmp_path / ("0" * 64)
    other.mkdir()
    found = packed.review("--bundle", str(other), exit_code=2)
    assert [d["file"] for d in found["differences"]] == ["bundle"]
    changed(packed.folder / "plan.json", lambda document: document["body"]["chain"].update(id=1))
    assert packed.review(exit_code=2)["error"]["code"] == "SHIP-N03"
    refused = packed.ship("review", str(packed.folder), "--chain", "local", "--rpc", packed.url, exit_code=2)
    assert "SHIP-Y07" in refused.stderr


@pytest.mark.soak
def test_a_chain_that_moved_without_touching_the_plan_agrees_and_one_that_did_is_told_apart(
    project: Project, url: Callable[[Any], str], tmp_path: Path
) -> None:
    ship = project("vault")
    chain = Chain(url(ship))
    ship.deploy()
    ship.edit("ship.toml", 'version = "1.2.0-rc.1"', 'version = "1.3.0"')
    ship.edit("ship.toml", 'source = "src/Vault.sol:Vault"', 'source = "src/VaultV2.sol:VaultV2"\nupgrade = { call = "initializeV2(address)", args = ["${params.treasury}"] }')  # fmt: skip
    ship.edit("ship.toml", 'call = "version()(string)"\nequals = "1"', 'call = "version()(string)"\nequals = "2"')
    packed = Packed(ship, url(ship), tmp_path / "elsewhere")
    chain.ask("anvil_mine", "0x2")
    review = packed.review()
    assert review["recomputed_at"] == [review["block"], review["head"]]
    assert review["head"] == review["block"] + 2
    # What others do to storage the plan neither writes nor reads is no difference; what the plan finds changed is.
    vault = next(u["after"]["address"] for u in packed.read("plan.json")["body"]["units"] if u["name"] == "Vault")
    treasury = "0xf3189b18d3e955cbe5fceb0a99ed4d2f8d8280ddffedb525118b812ff212cc01"
    initialized = "0xf0c57e16840df040f15088dc2f81fe391c3923bec73e23a9662efc9c229c6a00"
    chain.ask("anvil_setStorageAt", vault, treasury, "0x" + SECOND[2:].rjust(64, "0"))
    chain.ask("anvil_mine", "0x1")
    packed.review()
    chain.ask("anvil_setStorageAt", vault, initialized, "0x" + "00" * 32)
    chain.ask("anvil_mine", "0x1")
    moved = packed.review(exit_code=2)
    assert {d["file"] for d in moved["differences"]} == {"state.json"}
    assert all(d["moved"] for d in moved["differences"])
    assert any("before" in d["what"] for d in moved["differences"])
    assert f"from block {moved['block']} to {moved['head']}" in ship("review", "pack", exit_code=2).stdout
    registry = treasury[:-1] + "0"
    chain.ask("anvil_setStorageAt", vault, registry, "0x" + SECOND[2:].rjust(64, "0"))
    chain.ask("anvil_mine", "0x1")
    broken = packed.review(exit_code=2)
    assert any("feeThroughTheRegistry does not hold" in d["what"] for d in broken["differences"])


@pytest.fixture
def vault(project: Project) -> Callable[..., Vault]:
    return lambda *owners, threshold: Vault(project("vault"), list(owners), threshold)


def test_a_safes_batch_has_the_hashes_the_safe_itself_gives(vault: Callable[..., Vault], tmp_path: Path) -> None:
    system = vault(DEPLOYER, SECOND, threshold=2)
    ship = system.ship
    ship.deploy()
    system.upgrade('"${params.owner}"')
    (ship.root / "src" / "FeePolicyV2.sol").write_text(FEE_POLICY_V2)
    ship.edit("ship.toml", "src/FeePolicy.sol:FeePolicy", "src/FeePolicyV2.sol:FeePolicyV2")
    packed = Packed(ship, str(ship("localnet", "up").stdout.split()[3]), tmp_path / "elsewhere")

    (signing,) = packed.read("signing.json")["safe"]
    message = signing["message"]
    assert signing["domain"] == {"chainId": 31337, "verifyingContract": system.safe}
    chain = system.chain
    assert "0x" + chain.read(system.safe, "domainSeparator()").hex() == signing["domain_hash"]
    types = ["address", "uint256", "bytes", "uint8", "uint256", "uint256", "uint256", "address", "address", "uint256"]
    values = [
        message["to"], int(message["value"]), bytes.fromhex(message["data"][2:]), message["operation"], 0, 0, 0,
        message["gasToken"], message["refundReceiver"], message["nonce"],
    ]  # fmt: skip
    told = chain.read(system.safe, f"getTransactionHash({','.join(types)})", types, values)
    assert "0x" + told.hex() == signing["safe_tx_hash"]
    encoded = b"\x19\x01" + bytes.fromhex(signing["domain_hash"][2:]) + bytes.fromhex(signing["message_hash"][2:])
    raw = chain.ask("web3_sha3", "0x" + encoded.hex())
    assert raw == signing["safe_tx_hash"]

    (proposal,) = packed.read("transactions.json")["proposals"]
    calls = proposal["arguments"][0]["calls"]
    assert {c["function"].partition("(")[0] for c in calls} == {"upgradeToAndCall", "upgradeAndCall"}
    assert len(calls) == 2
    page = (packed.folder / "plan.md").read_text()
    for key in ("domain_hash", "message_hash", "safe_tx_hash"):
        assert signing[key] in page
    assert packed.review()["agrees"]
    changed(packed.folder / "signing.json", lambda d: d["safe"][0].update(safe_tx_hash="0x" + "11" * 32))
    found = packed.review(exit_code=2)
    assert {d["file"] for d in found["differences"]} == {"signing.json"}


def test_a_timelocks_operation_has_the_id_the_timelock_itself_gives(
    vault: Callable[..., Vault], tmp_path: Path
) -> None:
    system = vault(DEPLOYER, threshold=1)
    ship = system.ship
    ship.edit("ship.toml", UPGRADER, '"${deployer}", "${contracts.Timelock}"]')
    ship.edit("manifests/local.toml", f'owner = "{system.safe}"', f'owner = "{DEPLOYER}"')
    ship.deploy()
    system.upgrade('"${contracts.Timelock}"')
    packed = Packed(ship, str(ship("localnet", "up").stdout.split()[3]), tmp_path / "elsewhere")
    schedule, execute = packed.read("signing.json")["timelock"]
    assert (schedule["does"], execute["does"]) == ("schedule", "execute")
    assert schedule["operation"] == execute["operation"]
    assert schedule["delay_s"] == 172_800
    shown = next(t for t in packed.read("transactions.json")["transactions"] if t["action"] == execute["action"])
    arguments = [a["value"] for a in shown["arguments"]]
    values = [arguments[0], int(arguments[1]), *(bytes.fromhex(a[2:]) for a in arguments[2:])]
    types = ["address", "uint256", "bytes", "bytes32", "bytes32"]
    told = system.chain.read(checksum(execute["timelock"]), f"hashOperation({','.join(types)})", types, values)
    assert "0x" + told.hex() == schedule["operation"]
    state = packed.read("state.json")
    paths = {v["path"] for a in state["accounts"] for s in a["slots"] for v in s["variables"]}
    assert f"_timestamps[{schedule['operation']}]" in paths
    assert packed.review()["agrees"]


def test_a_hidden_write_fails_the_plan_by_name_until_it_is_allowed(project: Project, url: Callable[[Any], str]) -> None:
    ship = project("counter")
    ship.edit("src/Registry.sol", "contract Registry {", "contract Registry {\n    function hide() external { assembly { sstore(0xabcd, 1) } }\n")  # fmt: skip
    toml = ship.root / "ship.toml"
    toml.write_text(toml.read_text() + '\n[calls.hide]\nto = "${contracts.Registry}"\ncall = "hide()"\n')
    refused = ship("plan", "--chain", "local", "--out", "pack", exit_code=2)
    assert "SHIP-Y02" in refused.stderr
    name = f"Registry:0x{0xABCD:064x}"
    assert name in refused.stderr
    assert name in (ship.root / "pack" / "plan.md").read_text()
    assert f"unexplained: {name}" in ship("review", "pack", exit_code=2).stdout
    toml.write_text(toml.read_text() + f'\n[review]\nallow-slots = ["{name}"]\n')
    ship("plan", "--chain", "local", "--out", "pack")
    assert f"allowed by name, not explained: {name}" in ship("review", "pack").stdout
    (ship.root / "elsewhere").mkdir()
    (ship.root / "elsewhere" / "notes.txt").write_text("mine")
    refused = ship("plan", "--chain", "local", "--out", "elsewhere", exit_code=2)
    assert "SHIP-Y05" in refused.stderr
    assert (ship.root / "elsewhere" / "notes.txt").read_text() == "mine"
