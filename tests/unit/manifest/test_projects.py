"""From manifests to what the planner reads."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from chains.canonical import canonical, digest, pretty
from chains.errors import ShipError
from chains.evm.hashing import keccak256
from chains.evm.units import DEPLOYER, Ref
from pipeline.manifest.gates import selected_gates
from pipeline.manifest.project import Project, load_project
from pipeline.manifest.resolved import resolved
from pipeline.manifest.target import list_targets, load_target
from pipeline.manifest.units import evm_units

HERE = Path(__file__).parent
OWNER = "0x4e59b44847b379578588920cA78FbF26c0B4956C"

PROJECT = """\
schema = 1
[project]
name = "acme-vault"
version = "1.2.0-rc.1"
changelog = "CHANGELOG.md"

[evm]
root = "."

[contracts.Registry]
source = "src/Registry.sol:Registry"
args = ["${params.owner}", { first = 1, second = ["${chain.id}", true] }]
value = "1.5 gwei"

[contracts.Math]
source = "src/Math.sol:Math"
create2 = "acme.math.v1"

[contracts.Vault]
source = "src/Vault.sol:Vault"
proxy = "uups"
initialize = { call = "initialize(address,address)", args = ["${contracts.Registry}", "${params.treasury}"] }
upgrade = { call = "migrate()", value = 5 }
libraries = { "src/Math.sol:Math" = "${contracts.Math}" }
after = ["Registry"]
replace = true

[contracts.Fees]
source = "src/Fees.sol:Fees"
proxy = "transparent"
proxy-owner = "${params.owner}"
create2 = "0x000000000000000000000000000000000000000000000000000000000000002a"

[calls.grant]
to = "${contracts.Registry}"
call = "grantRole(bytes32,address)"
args = ["${keccak:KEEPER}", "${contracts.Vault}"]
unless = { call = "hasRole(bytes32,address)(bool)", args = ["${keccak:KEEPER}", "${contracts.Vault}"], equals = true }
after = ["Vault"]

[gates]
tests = { fuzz-seed = 7 }
slither = { fail-on = "high", baseline = "slither.baseline.json", exclude = ["timestamp"] }

[checks.owner]
on = "${contracts.Registry}"
call = "owner()(address)"
equals = "${params.owner}"
"""

BASE = f"""\
schema = 1
extends = "builtin:base"
[rpc]
endpoints = ["env:BASE_RPC_URL"]
[signer]
backend = "aws-kms"
key = "alias/base-deployer"
address = "{OWNER}"
[policy]
max-fee-per-gas = "2 gwei"
max-cost = "0.05 ether"
[params]
owner = "{OWNER}"
treasury = "${{deployer}}"
[overrides.contracts.Vault.initialize]
args = ["${{contracts.Registry}}", "{OWNER}"]
[verify]
etherscan = {{ api-key = "env:ETHERSCAN_API_KEY" }}
blockscout = {{ url = "https://base.blockscout.com/api" }}
[checks.version]
on = "${{contracts.Vault}}"
call = "version()(string)"
equals = "${{project.version}}"
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "ship.toml").write_text(PROJECT)
    (tmp_path / "manifests").mkdir()
    (tmp_path / "manifests" / "base.toml").write_text(BASE)
    return load_project(tmp_path)


def test_units(project: Project) -> None:
    units = evm_units(project, load_target(project, "base"))
    registry, math, vault, fees = units.contracts
    assert registry.args == (OWNER, {"first": 1, "second": (8453, True)})
    assert registry.value_wei == 1_500_000_000
    assert registry.proxy_owner == DEPLOYER
    assert math.create2_salt == keccak256(b"acme.math.v1")
    assert vault.initialize is not None
    assert vault.initialize.args == (Ref("Registry"), OWNER), "the override wins, and only where it speaks"
    assert vault.initialize.signature == "initialize(address,address)"
    assert vault.upgrade is not None
    assert vault.upgrade.value_wei == 5
    assert dict(vault.libraries) == {"src/Math.sol:Math": Ref("Math")}
    assert (vault.after, vault.replace) == (("Registry",), True)
    assert fees.proxy_owner == OWNER
    assert fees.create2_salt == (42).to_bytes(32, "big")
    (grant,) = units.calls
    assert grant.call.args == ("0x" + keccak256(b"KEEPER").hex(), Ref("Vault"))
    assert grant.unless is not None
    assert grant.unless.equals is True
    assert [(check.name, check.equals) for check in units.checks] == [("owner", OWNER), ("version", "1.2.0-rc.1")]


def test_what_a_target_inherits_and_what_it_overrides(project: Project) -> None:
    target = load_target(project, "base")
    assert target.chain.chain_id == 8453
    assert target.spec.rpc.endpoints == ("env:BASE_RPC_URL",), "arrays are replaced, not joined"
    assert target.spec.policy.max_fee_per_gas == 2 * 10**9
    assert target.spec.policy.gas_margin_bps == 2_000
    assert target.finality == "finalized"
    assert target.spec.verify.sourcify is not None
    assert target.spec.verify.sourcify.enabled
    assert list_targets(project) == ("base",)


def test_resolved_is_as_recorded(project: Project) -> None:
    value = resolved(project, load_target(project, "base"))
    golden = HERE / "golden" / "resolved.json"
    if os.environ.get("SHIP_WRITE_GOLDEN"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_bytes(pretty(value))
    assert pretty(value) == golden.read_bytes(), "refresh with SHIP_WRITE_GOLDEN=1 if the change is meant"
    assert b"env:ETHERSCAN_API_KEY" in canonical(value)


def test_the_same_meaning_has_the_same_digest(project: Project) -> None:
    before = digest(resolved(project, load_target(project, "base")))
    (project.root / "ship.toml").write_text("# moved\n" + PROJECT.replace('"1.5 gwei"', "1_500_000_000"))
    (project.root / "manifests" / "base.toml").write_text(BASE.replace('"0.05 ether"', '"50000000 gwei"'))
    again = load_project(project.root)
    assert digest(resolved(again, load_target(again, "base"))) == before
    (project.root / "ship.toml").write_text(PROJECT.replace('"1.5 gwei"', '"1.6 gwei"'))
    changed = load_project(project.root)
    assert digest(resolved(changed, load_target(changed, "base"))) != before


def test_local_needs_no_manifest(project: Project) -> None:
    target = load_target(project, "local")
    assert target.chain.chain_id == 31337
    assert target.chain.local
    assert target.finality == 1
    assert target.spec.signer is not None
    assert target.spec.signer.backend == "development"
    assert target.spec.rpc.endpoints == ()
    with pytest.raises(ShipError) as caught:
        evm_units(project, target)
    assert caught.value.code == "SHIP-M37", "the parameters are still to be given"


def test_a_production_chain_needs_a_manifest(project: Project) -> None:
    with pytest.raises(ShipError) as caught:
        load_target(project, "ethereum")
    assert caught.value.code == "SHIP-M02"
    assert 'extends = "builtin:ethereum"' in caught.value.remedy


def test_a_chain_of_ones_own(project: Project) -> None:
    text = BASE.replace('extends = "builtin:base"', 'chain = { name = "mine", id = 4242, fee-model = "legacy" }')
    (project.root / "manifests" / "mine.toml").write_text(text)
    chain = load_target(project, "mine").chain
    assert (chain.chain_id, chain.fee_model, chain.genesis) == (4242, "legacy", None)


def test_69_a_metadata_host_is_allowed_by_name_only(project: Project) -> None:
    text = BASE.replace('"env:BASE_RPC_URL"', '"http://169.254.1.1:8545"')
    (project.root / "manifests" / "base.toml").write_text(text)
    with pytest.raises(ShipError) as caught:
        load_target(project, "base")
    assert caught.value.code == "SHIP-M29"
    (project.root / "manifests" / "base.toml").write_text(text + '[network]\nallow-hosts = ["169.254.1.1"]\n')
    assert load_target(project, "base")


def test_programs_beside_contracts_change_nothing_for_an_evm_target(project: Project) -> None:
    before = evm_units(project, load_target(project, "base"))
    (project.root / "ship.toml").write_text(
        f"{PROJECT}\n[programs.counter]\nidl = true\n"
        '[calls.begin]\nprogram = "counter"\ninstruction = "initialize"\n'
        '[checks.count]\nprogram = "counter"\naccount = "pda:counter/a"\ntype = "Counter"\nfield = "count"\nequals = 0\n'
    )
    again = load_project(project.root)
    assert evm_units(again, load_target(again, "base")) == before


@pytest.mark.parametrize("gate", ["gas", "size", "coverage"])
def test_gates_not_built_yet_are_refused_when_used(gate: str, project: Project) -> None:
    assert selected_gates(project).tests is not None
    (project.root / "ship.toml").write_text(PROJECT.replace("[gates]", f"[gates]\n{gate} = {{}}"))
    with pytest.raises(ShipError) as caught:
        selected_gates(load_project(project.root))
    assert caught.value.code == "SHIP-M33"
    assert caught.value.where is not None
    assert caught.value.where.key == f"gates.{gate}"


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("package.json", '{ "version": "3.2.1" }'),
        ("Cargo.toml", '[workspace.package]\nversion = "3.2.1"\n'),
        ("pyproject.toml", '[project]\nname = "x"\nversion = "3.2.1"\n'),
        ("VERSION", "3.2.1\n"),
    ],
)
def test_version_from(file: str, text: str, project: Project) -> None:
    (project.root / file).write_text(text)
    (project.root / "ship.toml").write_text(PROJECT.replace('version = "1.2.0-rc.1"', f'version-from = "{file}"'))
    assert load_project(project.root).version == "3.2.1"


@pytest.mark.parametrize("text", ["", "{", "[]", '{ "version": 1 }', '{ "version": "1" }', "[" * 100_000])
def test_version_from_a_broken_file(text: str, project: Project) -> None:
    (project.root / "package.json").write_text(text)
    (project.root / "ship.toml").write_text(PROJECT.replace('version = "1.2.0-rc.1"', 'version-from = "package.json"'))
    with pytest.raises(ShipError) as caught:
        load_project(project.root)
    assert caught.value.code == "SHIP-M27"


def test_errors_in_overrides_point_into_the_target(project: Project) -> None:
    (project.root / "manifests" / "base.toml").write_text(
        BASE.replace('"${contracts.Registry}"', '"${contracts.Regstry}"')
    )
    with pytest.raises(ShipError) as caught:
        load_target(project, "base")
    where = caught.value.where
    assert where is not None
    assert (where.file, where.key) == ("manifests/base.toml", "overrides.contracts.Vault.initialize.args[0]")
    assert where.line == BASE.split("\n").index("[overrides.contracts.Vault.initialize]") + 2


def test_all_missing_parameters_are_named_at_once(project: Project) -> None:
    (project.root / "manifests" / "base.toml").write_text(BASE.replace("owner = ", "landlord = "))
    again = load_project(project.root)
    with pytest.raises(ShipError) as caught:
        evm_units(again, load_target(again, "base"))
    problems = caught.value.to_json()["problems"]
    assert {problem["key"] for problem in problems} == {
        "contracts.Registry.args[0]",
        "contracts.Fees.proxy-owner",
        "checks.owner.equals",
    }
    assert json.dumps(problems)


@pytest.mark.parametrize("folder", ["examples/vault", "tests/projects/uniswap-v2"])
def test_the_projects_of_this_repository_load(folder: str) -> None:
    root = Path(__file__).parents[3] / folder
    project = load_project(root)
    assert evm_units(project, load_target(project, "local")).contracts
