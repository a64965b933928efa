"""Manifests of programs that nobody should get away with: each is refused with code, line and key, before anything is built."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chains.errors import Refused
from pipeline.manifest.checking import check_project
from pipeline.manifest.errors import ManifestInvalid
from tests.unit.manifest.malformed import Case

ID = "DeXWEhMQNpToWWmMCWiBabwzUigb6aiyhuTQyBwLVNDf"
PROJECT = f"""\
schema = 1
[project]
name = "acme"
version = "1.2.0"
[solana]
root = "."
build = "prebuilt"
[programs.counter]
program-id = "{ID}"
artifact = "target/deploy/counter.so"
room = 10000
after = []
[calls.open]
program = "counter"
instruction = "initialize"
accounts = {{ counter = "pda:counter/counter,key:${{deployer}}" }}
unless = {{ account = "pda:counter/counter,key:${{deployer}}" }}
[checks.authority]
program = "counter"
account = "pda:counter/counter,key:${{deployer}}"
type = "Counter"
field = "authority"
equals = "${{deployer}}"
"""
TARGET = """\
schema = 1
extends = "builtin:solana-devnet"
[signer]
backend = "keystore"
file = "keys/deployer.json"
public-key = "DeXWEhMQNpToWWmMCWiBabwzUigb6aiyhuTQyBwLVNDf"
[payer]
backend = "keystore"
file = "keys/payer.json"
[policy]
max-lamports = "0.5 SOL"
max-unit-price = 1000
programs = ["DeXWEhMQNpToWWmMCWiBabwzUigb6aiyhuTQyBwLVNDf"]
instructions = { BPFLoaderUpgradeab1e11111111111111111111111 = ["upgrade"] }
"""
ANVIL_KEY = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
UNLESS = 'unless = { account = "pda:counter/counter,key:${deployer}" }'
ARTIFACT = 'artifact = "target/deploy/counter.so"'

PROJECT_CASES = [
    Case("unknown-build", '"prebuilt"', '"make"', "SHIP-M14", 7, "solana.build"),
    Case("root-outside", 'root = "."', 'root = "../elsewhere"', "SHIP-M20", 6, "solana.root"),
    Case("root-absolute", 'root = "."', 'root = "/srv/anchor"', "SHIP-M20", 6, "solana.root"),
    Case("root-flag", 'root = "."', 'root = "-rf"', "SHIP-M20", 6, "solana.root"),
    Case("id-not-base58", f'"{ID}"', '"0x4e59b44847b379578588920cA78FbF26c0B4956C"', "SHIP-M14", 9, "programs.counter.program-id"),
    Case("id-too-short", f'"{ID}"', '"DeXW"', "SHIP-M14", 9, "programs.counter.program-id"),
    Case("artifact-outside", ARTIFACT, 'artifact = "../counter.so"', "SHIP-M20", 10, "programs.counter.artifact"),
    Case("artifact-nul", ARTIFACT, 'artifact = "a\\u0000.so"', "SHIP-M07", 10, "programs.counter.artifact"),
    Case("sha256-short", ARTIFACT, 'sha256 = "abcd"', "SHIP-M14", 10, "programs.counter.sha256"),
    Case("sha256-upper", ARTIFACT, f'sha256 = "{"AB" * 32}"', "SHIP-M19", 10, "programs.counter.sha256"),
    Case("sha256-a-known-key", ARTIFACT, f'sha256 = "{ANVIL_KEY}"', "SHIP-M19", 10, "programs.counter.sha256", secret=ANVIL_KEY),
    Case("key-elsewhere", ARTIFACT, f'idl-file = "{"ab" * 32}"', "SHIP-M19", 10, "programs.counter.idl-file", secret="ab" * 32),
    Case("keypair-outside", ARTIFACT, 'keypair = "../../id.json"', "SHIP-M20", 10, "programs.counter.keypair"),
    Case("security-outside", ARTIFACT, 'security = "/etc/passwd"', "SHIP-M20", 10, "programs.counter.security"),
    Case("room-negative", "room = 10000", "room = -1", "SHIP-M14", 11, "programs.counter.room"),
    Case("room-too-much", "room = 10000", "room = 10485716", "SHIP-M14", 11, "programs.counter.room"),
    Case("room-text", "room = 10000", 'room = "10000"', "SHIP-M13", 11, "programs.counter.room"),
    Case("extend-text", "room = 10000", 'extend = "yes"', "SHIP-M13", 11, "programs.counter.extend"),
    Case("after-unknown", "after = []", 'after = ["Vault"]', "SHIP-M35", 12, "programs.counter.after[0]"),
    Case("after-itself", "after = []", 'after = ["counter"]', "SHIP-M35", 12, "programs.counter.after[0]"),
    Case("unknown-key", "room = 10000", "rooms = 10000", "SHIP-M11", 11, "programs.counter.rooms", says='"room"'),
    Case("name-with-dash", "[programs.counter]", "[programs.my-counter]", "SHIP-M22", 8, "programs.my-counter"),
    Case("call-unknown-program", 'program = "counter"\ninstruction', 'program = "conter"\ninstruction', "SHIP-M35", 14, "calls.open.program", says='"counter"'),
    Case("check-unknown-program", 'program = "counter"\naccount', 'program = "conter"\naccount', "SHIP-M35", 19, "checks.authority.program"),
    Case("call-no-instruction", 'instruction = "initialize"\n', "", "SHIP-M12", 13, "calls.open.instruction"),
    Case("call-of-both-kinds", 'instruction = "initialize"', 'instruction = "initialize"\ncall = "open()"', "SHIP-M11", 16, "calls.open.call", says="instruction, "),
    Case("instruction-no-name", '"initialize"', '"init-ialize"', "SHIP-M14", 15, "calls.open.instruction"),
    Case("unless-type-alone", UNLESS, UNLESS.replace(" }", ', type = "Counter" }'), "SHIP-M34", 17, "calls.open.unless"),
    Case("unless-field-alone", UNLESS, UNLESS.replace(" }", ', type = "Counter", field = "count" }'), "SHIP-M34", 17, "calls.open.unless"),
    Case("account-not-base58", '"pda:counter/counter,key:${deployer}" }\nunless', '"0l" }\nunless', "SHIP-M18", 16, "calls.open.accounts.counter"),
    Case("pda-unknown-program", '"pda:counter/counter,key:${deployer}" }\nunless', '"pda:nobody/a" }\nunless', "SHIP-M18", 16, "calls.open.accounts.counter"),
    Case("pda-bad-key-seed", '"pda:counter/counter,key:${deployer}" }\nunless', '"pda:counter/key:xyz" }\nunless', "SHIP-M18", 16, "calls.open.accounts.counter"),
    Case("pda-seed-too-long", '"pda:counter/counter,key:${deployer}" }\nunless', f'"pda:counter/{"s" * 33}" }}\nunless', "SHIP-M18", 16, "calls.open.accounts.counter"),
    Case("pda-unknown-reference", 'account = "pda:counter/counter,key:${deployer}"\ntype', 'account = "pda:counter/key:${params.owner}"\ntype', "SHIP-M37", 20, "checks.authority.account"),
    Case("contracts-after-programs", "after = []", 'after = []\n[contracts.A]\nsource = "src/A.sol:A"\nafter = ["counter"]', "SHIP-M35", 15, "contracts.A.after[0]", says="other chains"),
    Case("programs-after-contracts", "after = []", 'after = ["A"]\n[contracts.A]\nsource = "src/A.sol:A"', "SHIP-M35", 12, "programs.counter.after[0]", says="other chains"),
    Case("one-name-two-families", "after = []", 'after = []\n[contracts.counter]\nsource = "src/A.sol:A"', "SHIP-M22", 8),
]  # fmt: skip

TARGET_CASES = [
    Case("lamports-no-unit", '"0.5 SOL"', '"0.5"', "SHIP-M16", 11, "policy.max-lamports"),
    Case("lamports-too-fine", '"0.5 SOL"', '"0.0000000001 SOL"', "SHIP-M16", 11, "policy.max-lamports"),
    Case("lamports-negative", '"0.5 SOL"', "-1", "SHIP-M16", 11, "policy.max-lamports"),
    Case("lamports-beyond-u64", '"0.5 SOL"', '"18446744073709551616 lamports"', "SHIP-M16", 11, "policy.max-lamports"),
    Case("lamports-boolean", '"0.5 SOL"', "true", "SHIP-M16", 11, "policy.max-lamports"),
    Case("price-negative", "= 1000", "= -1", "SHIP-M14", 12, "policy.max-unit-price"),
    Case("price-absurd", "= 1000", "= 1000000001", "SHIP-M14", 12, "policy.max-unit-price"),
    Case("programs-not-base58", f'["{ID}"]', '["0x00"]', "SHIP-M14", 13, "policy.programs[0]"),
    Case("instruction-no-name", '["upgrade"]', '["up grade"]', "SHIP-M14", 14),
    Case("public-key-not-base58", f'public-key = "{ID}"', 'public-key = "0"', "SHIP-M14", 6, "signer.public-key"),
    Case("literal-secret-key", 'file = "keys/payer.json"', f'password = "{"5" * 88}"', "SHIP-M19", 9, "payer.password", secret="5" * 88),
]  # fmt: skip


def _refused(root: Path) -> ManifestInvalid:
    with pytest.raises(ManifestInvalid) as caught:
        check_project(root).raise_problems()
    return caught.value


def _hold(case: Case, error: ManifestInvalid) -> None:
    shown = json.dumps(error.to_json(), ensure_ascii=False) + str(error) + repr(error)
    assert error.code == case.code, error.cause
    assert isinstance(error, Refused)
    assert (error.exit_code, bool(error.remedy)) == (2, True)
    assert error.where is not None
    if case.line is not None:
        assert error.where.line == case.line, error.cause
    if case.key is not None:
        assert error.where.key == case.key
    assert case.says in shown.replace('\\"', '"')
    assert case.secret is None or case.secret not in shown


def _project(root: Path, text: bytes) -> None:
    (root / "ship.toml").write_bytes(text)


@pytest.mark.parametrize("case", PROJECT_CASES, ids=lambda case: case.name)
def test_project_refused(case: Case, tmp_path: Path) -> None:
    _project(tmp_path, case.content(PROJECT))
    _target(tmp_path, TARGET.encode())
    _hold(case, _refused(tmp_path))


def _target(root: Path, text: bytes) -> None:
    (root / "manifests").mkdir()
    (root / "manifests" / "devnet.toml").write_bytes(text)


@pytest.mark.parametrize("case", TARGET_CASES, ids=lambda case: case.name)
def test_target_refused(case: Case, tmp_path: Path) -> None:
    _project(tmp_path, PROJECT.encode())
    _target(tmp_path, case.content(TARGET))
    _hold(case, _refused(tmp_path))


def test_the_manifests_they_are_made_from_are_right(tmp_path: Path) -> None:
    _project(tmp_path, PROJECT.encode())
    _target(tmp_path, TARGET.encode())
    check_project(tmp_path).raise_problems()
