"""Every other command on a Solana target: the right thing, or a refusal that says why."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from eth_account import Account
from eth_keyfile import create_keyfile_json

from tests.integration.programs.conftest import DEVELOPMENT, PASSWORD, Counter
from tests.support.counter_project import counter_project
from tests.support.solana_node import COUNTER

PROGRAM = "DeXWEhMQNpToWWmMCWiBabwzUigb6aiyhuTQyBwLVNDf"
CHAIN = ("--chain", "solana-test")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("createx", *CHAIN), "CreateX is a contract of EVM chains"),
        (("adopt", *CHAIN, "nothing.json", "--yes"), "adopting reads deployments of contracts"),
        (("proposals", "show", *CHAIN), "of a Safe are of EVM chains"),
        (("proposals", "import", "ship.toml", *CHAIN), "of a Safe are of EVM chains"),
        (("rpc-signer", *CHAIN, "--yes"), "forge sends transactions of EVM chains alone"),
        (("sign", "export", *CHAIN), "expires within about a minute"),
        (("plan", *CHAIN, "--out", "pack"), "review packs explain storage"),
        (("solana", "buffers", "--chain", "local"), "buffers are a matter of Solana"),
        (("export", "--format", "solidity"), "solana-test cannot be written in it"),
        (("export", "--format", "superchain"), "solana-test cannot be written in it"),
        (("export", "--format", "safe-deployments", "--out", "book"), "solana-test cannot be written in it"),
    ],
)
def test_what_is_of_evm_chains_is_refused_in_words(
    shared_counter: Counter, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], says: str
) -> None:
    monkeypatch.chdir(shared_counter.root)
    before = (shared_counter.root / "deployments/solana-test/journal.jsonl").read_bytes()
    assert says in shared_counter.ship(*arguments, code=2).output
    assert (shared_counter.root / "deployments/solana-test/journal.jsonl").read_bytes() == before


def test_records_are_shown(shared_counter: Counter) -> None:
    listed = shared_counter.ship("record", "show").output
    assert "v0.1.0" in listed
    assert "SOL" in listed
    shown = shared_counter.ship("record", "show", "v0.1.0").output
    for text in (PROGRAM, f"authority {DEVELOPMENT}", "byte for byte", "Counter.authority of", "deploy"):
        assert text in shown
    document = shared_counter.json("record", "show", "v0.1.0")
    assert document["records"][0]["record"]["family"] == "solana"
    assert "proven: files, signatures and chain agree" in shared_counter.ship("record", "verify").output


def test_programs_are_in_the_address_book(shared_counter: Counter) -> None:
    book = json.loads(shared_counter.ship("export").stdout)
    (program,) = book["targets"]["solana-test"]["programs"].values()
    assert program["address"] == PROGRAM
    assert f'counter: "{PROGRAM}"' in shared_counter.ship("export", "--format", "typescript").stdout


def test_the_signer_is_listed_and_proves_itself(shared_counter: Counter) -> None:
    listed = shared_counter.json("signer", "list")["signers"]
    assert [(one["target"], one["found"], one["problem"]) for one in listed] == [("solana-test", DEVELOPMENT, None)]
    tested = shared_counter.json("signer", "test", *CHAIN, "--count", "3")
    assert (tested["address"], tested["signed"], tested["signatures"]) == (DEVELOPMENT, "an off-chain message", 3)


def test_what_a_probe_signs_can_be_no_transaction() -> None:
    from solders.message import MessageV0, from_bytes_versioned

    from pipeline.signing.probing import off_chain_message

    message = off_chain_message(b"x" * 100)
    for read in (from_bytes_versioned, MessageV0.from_bytes):
        with pytest.raises(ValueError):  # noqa: PT011  solders' own words
            read(message)


def test_the_doctor_looks_at_cluster_keys_and_programs(shared_counter: Counter) -> None:
    report = shared_counter.json("doctor")
    section = next(section for section in report["sections"] if section["name"] == "solana-test")
    found = {finding["item"]: finding for finding in section["findings"]}
    assert found["rpc"]["state"] == "ok"
    assert found["rpc"]["facts"]["genesis"] == shared_counter.node.call("getGenesisHash")
    assert found["signer"]["facts"]["public_key"] == DEVELOPMENT
    assert int(found["balance"]["facts"]["lamports"]) > 0
    assert found["counter"]["facts"]["program"] == PROGRAM
    assert {f["item"]: f["state"] for f in report["sections"][0]["findings"]}["forge"] in {"ok", "warn"}  # not needed


def test_the_doctor_names_what_is_missing(counter: Counter) -> None:
    (counter.root / "target/deploy/counter.so").unlink()
    counter.manifest('\n[payer]\nbackend = "offline"\npublic-key = "' + PROGRAM + '"\n')
    report = counter.json("doctor", code=2)
    section = next(section for section in report["sections"] if section["name"] == "solana-test")
    wrong = {f["item"]: f["found"] for f in section["findings"] if f["state"] == "missing"}
    assert "cannot be read" in wrong["counter"]
    assert "blockhash" in wrong["payer"]
    text = (counter.root / "manifests/solana-test.toml").read_text().replace(counter.node.url, "http://127.0.0.1:9")
    (counter.root / "manifests/solana-test.toml").write_text(text)
    report = counter.json("doctor", "--chain", "solana-test", code=2)
    assert "127.0.0.1:9" in next(f for f in report["sections"][-1]["findings"] if f["item"] == "rpc")["found"]


def test_an_offline_signer_is_refused_before_anything_is_built(new_counter: Callable[[str], Counter]) -> None:
    counter = new_counter(f'\n[signer]\nbackend = "offline"\npublic-key = "{PROGRAM}"\n')
    refused = counter.ship("deploy", *CHAIN, "--yes", code=2).output
    assert "a durable nonce, which would not expire, is not built" in refused
    assert "building" not in refused
    assert not (counter.root / "deployments/solana-test/plans").exists()


def approver(root: Path, name: str, number: int) -> str:
    key = bytes([number]) * 32
    (root / "keys").mkdir(exist_ok=True)
    (root / "keys/password").write_text(PASSWORD + "\n")
    (root / "keys/password").chmod(0o600)
    made = create_keyfile_json(key, PASSWORD.encode(), kdf="pbkdf2", iterations=1_000)
    (root / f"keys/{name}.json").write_text(json.dumps(made))
    (root / f"{name}.toml").write_text(
        f'schema = 1\n[signer]\nbackend = "keystore"\nfile = "keys/{name}.json"\npassword = "file:keys/password"\n'
    )
    return str(Account.from_key(key).address)


def test_two_of_three_have_to_agree(new_counter: Callable[[str], Counter]) -> None:
    counter = new_counter("")
    names = {name: approver(counter.root, name, number) for number, name in enumerate(("alice", "bob", "carol"), 1)}
    mallory = approver(counter.root, "mallory", 9)
    listed = ", ".join(f'{name} = "{address}"' for name, address in names.items())
    counter.manifest(f"\n[policy]\napprovals = 2\napprovers = {{ {listed} }}\n")
    assert mallory not in names.values()
    plan = counter.root / "plan.json"
    assert "SHIP-A03" in counter.ship("deploy", *CHAIN, code=2).output
    counter.ship("plan", *CHAIN, "--out", str(plan))

    def approve(name: str, code: int = 0) -> str:
        return counter.ship(
            "approve", str(plan), "--signer", str(counter.root / f"{name}.toml"), "--yes", code=code
        ).output

    said = approve("alice")
    assert "read again from the unsigned bytes alone" in said
    assert f"open: initialize() of {PROGRAM}" in said
    assert "SHIP-A05" in approve("mallory", code=2)
    assert "approvals are signed with secp256k1 keys" in counter.ship("approve", str(plan), "--yes", code=2).output
    deploy = ("deploy", *CHAIN, "--plan", str(plan))
    assert "1 counts" in counter.ship(*deploy, code=2).output
    approve("bob")
    counter.ship(*deploy)
    (accepted,) = counter.rows("plan.accepted")
    assert accepted["approved_by"] == "alice, bob"
    assert "proven: files, signatures and chain agree" in counter.ship("record", "verify").output

    # A rotation asks for the same: its plan saved, approved, and held to.
    table = counter.key("next")
    counter.manifest(f"\n[policy]\napprovals = 2\napprovers = {{ {listed} }}\n\n[next-authority]\n{table}")
    assert "SHIP-A03" in counter.ship("signer", "rotate", *CHAIN, code=2).output
    plan = counter.root / "rotation.json"
    counter.ship("signer", "rotate", *CHAIN, "--out", str(plan))
    for name in ("alice", "carol"):
        said = approve(name)
        assert "loader.set-authority-checked account" in said
        assert counter.keys["next"] in said
    counter.ship("signer", "rotate", *CHAIN, "--plan", str(plan))
    assert counter.rows("plan.accepted")[-1]["approved_by"] == "alice, carol"


def test_a_plan_of_other_manifests_is_not_approved(new_counter: Callable[[str], Counter]) -> None:
    counter = new_counter("")
    alice = approver(counter.root, "alice", 1)
    counter.manifest(f'\n[policy]\napprovals = 1\napprovers = {{ alice = "{alice}" }}\n')
    plan = counter.root / "plan.json"
    counter.ship("plan", *CHAIN, "--out", str(plan))
    counter.project.edit("warm-rollback = true", "room = 9000")
    arguments = ("approve", str(plan), "--signer", str(counter.root / "alice.toml"), "--yes")
    assert "SHIP-A06" in counter.ship(*arguments, code=2).output
    counter.project.edit("room = 9000", "warm-rollback = true")
    written = json.loads(plan.read_text())
    call = next(action for action in written["body"]["actions"] if action["kind"] == "call")
    call["details"]["instruction"]["data"] = call["details"]["instruction"]["data"][:-2] + "00"
    plan.write_text(json.dumps(written))
    assert "SHIP-A08" in counter.ship(*arguments, code=2).output


def test_init_of_an_anchor_workspace_can_be_released(tmp_path: Path) -> None:
    import shutil

    from pipeline.manifest.checking import check_project
    from pipeline.manifest.initializing import init_project
    from pipeline.manifest.project import load_project

    root = tmp_path / "workspace"
    shutil.copytree(COUNTER, root)
    (root / "ship.toml").unlink()
    (root / "programs/other_one/src").mkdir(parents=True)
    (root / "programs/other_one/src/lib.rs").write_text(f'declare_id!("{PROGRAM}");')
    anchor = root / "Anchor.toml"
    anchor.write_text(anchor.read_text() + f'\n[programs.mainnet]\ncounter = "{DEVELOPMENT}"\n')
    made = init_project(root, ["solana-devnet"])
    check_project(root).raise_problems()
    spec = load_project(root).spec
    assert set(spec.programs) == {"counter", "other_one"}
    assert spec.programs["counter"].program_id is None  # clusters differ in it
    assert made.first == "solana-local"
    assert spec.all_calls == {}
    devnet = (root / "manifests/solana-devnet.toml").read_text()
    assert "max-fee-per-gas" not in devnet
    assert "public-key" in devnet


def test_a_project_that_cannot_be_read_is_refused_for_all_targets(tmp_path: Path) -> None:
    counter = Counter(counter_project(tmp_path, "http://127.0.0.1:9"), None)  # type: ignore[arg-type]
    counter.project.edit("[programs.counter]", "[programs.counter]\nextent = true")
    refused = counter.ship("deploy", "--all", "--yes", "--json", code=2)
    assert json.loads(refused.stdout)["kind"] == "contract-ship/error"
