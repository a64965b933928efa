"""Keys rotated, programs made immutable, buffers closed: by the commands, on the real loader."""

from __future__ import annotations

import base64
import json
from typing import Any

from solders.transaction import VersionedTransaction

from chains.solana.layouts import Account, parse_program_data, program_data_address
from pipeline.programs.errands import running
from tests.integration.programs.conftest import DEVELOPMENT, Counter
from tests.support.schemas import hold
from tests.support.solana_node import until

PROGRAM = "DeXWEhMQNpToWWmMCWiBabwzUigb6aiyhuTQyBwLVNDf"
CHAIN = ("--chain", "solana-test")


def holder(counter: Counter, commitment: str = "processed") -> str:
    from solders.pubkey import Pubkey

    found = counter.node.account(program_data_address(Pubkey.from_string(PROGRAM)), commitment)
    assert found
    return str(parse_program_data(Account(0, found["owner"], found["data"], False, 0)).authority or "nobody")


def next_authority(counter: Counter) -> str:
    counter.manifest(f"\n[next-authority]\n{counter.key('next')}")
    return counter.keys["next"]


def record(counter: Counter, name: str) -> dict[str, Any]:
    return dict(json.loads((counter.root / name).read_bytes()))


def test_every_program_is_the_next_authoritys_and_released_by_it(counter: Counter) -> None:
    new = next_authority(counter)
    done = counter.json("signer", "rotate", *CHAIN, "--yes")
    assert (done["from"], done["to"], done["sent"]) == (DEVELOPMENT, new, 1)
    assert holder(counter) == new
    written, back = record(counter, done["record"]), record(counter, done["rollback"])
    assert [moved["account"] for moved in written["moved"]] == [PROGRAM]
    hold(back)
    assert back["requires"]["authority"] == new
    refused = counter.ship("signer", "rotate", *CHAIN, "--yes", code=2)
    assert "SHIP-Q81" in refused.output

    counter.project.next_version()
    assert "SHIP-Q06" in counter.ship("deploy", *CHAIN, "--yes", code=2).output  # the old key has nothing any more
    counter.manifest(f'\n[signer]\n{counter.key("again").replace("again", "next").replace(counter.keys["again"], new)}'
                     '\n[payer]\nbackend = "development"\n')  # fmt: skip
    counter.project.edit(
        'unless = { account = "pda:counter/counter,key:${deployer}" }',
        f'unless = {{ account = "pda:counter/counter,key:{DEVELOPMENT}" }}\n'
        f'accounts = {{ counter = "pda:counter/counter,key:{DEVELOPMENT}" }}',
    )
    counter.project.edit("key:${deployer}", f"key:{DEVELOPMENT}")
    counter.project.edit('equals = "${deployer}"', f'equals = "{DEVELOPMENT}"')
    counter.ship("deploy", *CHAIN, "--yes")
    assert "proven" in counter.ship("verify", *CHAIN).output


def test_a_next_authority_that_cannot_sign_gets_nothing(counter: Counter) -> None:
    """Fault 32."""
    assert "SHIP-Q82" in counter.ship("signer", "rotate", *CHAIN, "--yes", code=2).output
    new = next_authority(counter)
    assert "SHIP-Q82" in counter.ship("signer", "rotate", *CHAIN, "--to", DEVELOPMENT, "--yes", code=2).output
    table = counter.key("other")
    counter.manifest(
        f"\n[next-authority]\n{table.replace('other.json', 'next.json')}"
    )  # pins a key that is not in the file
    refused = counter.ship("signer", "rotate", *CHAIN, "--yes", code=2)
    assert "the target pins" in refused.output
    (counter.root / "keys/password").write_text("another password\n")
    counter.manifest(
        f"\n[next-authority]\n{table.replace('other.json', 'next.json').replace(counter.keys['other'], new)}"
    )
    assert "SHIP-S11" in counter.ship("signer", "rotate", *CHAIN, "--yes", code=2).output
    assert holder(counter) == DEVELOPMENT
    assert [row for row in counter.rows("sol.signed") if row["step"] == "set-authority"] == []


def test_a_rotation_goes_on_where_it_was_and_comes_before_a_release(counter: Counter, monkeypatch: Any) -> None:
    """Killed when the authority had moved and nothing was recorded."""
    new = next_authority(counter)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(running, "errand_record", killed)
        counter.ship("signer", "rotate", *CHAIN, "--yes", code=3)
    assert holder(counter) == new
    assert "ship signer rotate" in counter.ship("deploy", *CHAIN, "--yes", code=2).output
    assert "ship signer rotate" in counter.ship("rollback", *CHAIN, "--execute", "--yes", code=2).output
    assert "ship signer rotate" in counter.ship("status").output
    done = counter.json("signer", "rotate", *CHAIN, "--yes")
    assert done["sent"] == 0
    assert len([row for row in counter.rows("sol.signed") if row["step"] == "set-authority"]) == 1


def test_immutable_for_ever_once_its_address_is_typed_again(counter: Counter) -> None:
    finalize = ("solana", "finalize", *CHAIN, "--program", "counter", "--yes")
    assert "SHIP-Q15" in counter.ship(*finalize, code=2).output
    assert "SHIP-Q15" in counter.ship(*finalize, "--confirm", DEVELOPMENT, code=2).output
    assert "SHIP-Q83" in counter.ship("solana", "finalize", *CHAIN, "--program", "conter", code=2).output
    assert holder(counter) == DEVELOPMENT
    done = counter.json(*finalize, "--confirm", PROGRAM)
    assert done["sent"] == 1
    assert holder(counter) == "nobody"
    assert record(counter, done["record"])["kind"] == "contract-ship/finalization"
    back = record(counter, done["record"].replace(".json", ".rollback.json"))
    hold(back)
    assert back["capability"] == "none"
    assert [event["kind"] for event in counter.json("history")["events"]] == ["release", "finalization"]
    assert "SHIP-Q84" in counter.ship(*finalize, "--confirm", PROGRAM, code=2).output
    assert "authority nobody" in counter.ship("status").output
    assert (
        "0 transactions sent" in counter.ship("deploy", *CHAIN, "--yes").output
    )  # the same bytes: nothing is asked of it
    counter.project.next_version()
    assert "immutable" in counter.ship("deploy", *CHAIN, "--yes", code=2).output


def test_staged_bytes_are_shown_and_closed_by_name_alone(upgraded: Counter) -> None:
    shown = upgraded.json("solana", "buffers", *CHAIN)
    (staged,) = shown["buffers"]
    assert staged["what"] == "staged"
    assert staged["about"] == "the bytes of v0.1.0: the warm way back of counter"
    assert staged["since"] is not None
    kept = upgraded.json("solana", "buffers", *CHAIN, "--close-orphans", "--yes")
    assert (kept["closed"], kept["sent"]) == ([], 0)
    before = upgraded.node.call("getBalance", DEVELOPMENT)["value"]
    closed = upgraded.json("solana", "buffers", *CHAIN, "--close", staged["address"], "--yes")
    assert closed["closed"] == [staged["address"]]
    assert upgraded.node.call("getBalance", DEVELOPMENT)["value"] == before + staged["lamports"] - 5_000
    assert upgraded.json("solana", "buffers", *CHAIN)["buffers"] == []
    assert record(upgraded, closed["record"])["moved"][0]["account"] == staged["address"]
    assert [event["kind"] for event in upgraded.json("history")["events"]] == ["release", "release", "buffers"]
    assert "solana-cold" in upgraded.ship("rollback", *CHAIN).output
    assert "SHIP-Q86" in upgraded.ship("solana", "buffers", *CHAIN, "--close", staged["address"], code=2).output


def test_a_buffer_of_the_plan_under_way_is_never_closed_and_then_is_an_orphan(
    counter: Counter, monkeypatch: Any
) -> None:
    from chains.solana.engine import Engine

    counter.project.next_version()
    counter.project.edit("warm-rollback = true\n", "")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Engine, "_buffer_ok", killed)
        counter.ship("deploy", *CHAIN, "--yes", code=3)
    (buffer,) = counter.json("solana", "buffers", *CHAIN)["buffers"]
    assert buffer["what"] == "unfinished"
    assert "SHIP-Q85" in counter.ship("solana", "buffers", *CHAIN, "--close", buffer["address"], "--yes", code=2).output
    counter.project.edit("0.2.0", "0.2.1")
    counter.ship("deploy", *CHAIN, "--replan", "--yes")
    (orphan,) = counter.json("solana", "buffers", *CHAIN)["buffers"]
    assert (orphan["address"], orphan["what"]) == (buffer["address"], "orphan")
    closed = counter.json("solana", "buffers", *CHAIN, "--close-orphans", "--yes")
    assert closed["closed"] == [orphan["address"]]
    assert closed["returned_lamports"] == str(orphan["lamports"])


def test_what_a_vault_holds_its_members_move(counter: Counter) -> None:
    from solders.keypair import Keypair
    from solders.pubkey import Pubkey

    from chains.solana import loader
    from chains.solana.squads.releasing import SquadsAuthority
    from chains.solana.transactions import compile_message
    from pipeline.signing.development import _DEVELOPMENT_SEED

    multisig, member = str(Keypair().pubkey()), Keypair.from_seed(_DEVELOPMENT_SEED)
    vault = Pubkey.from_string(SquadsAuthority(multisig, 0, DEVELOPMENT).vault)
    program_data = program_data_address(Pubkey.from_string(PROGRAM))
    made = loader.set_authority(program_data, member.pubkey(), vault)
    message = compile_message(member.pubkey(), [made], counter.node.blockhash())
    raw = bytes(VersionedTransaction(message, [member]))
    config = {"encoding": "base64", "skipPreflight": True}
    counter.node.call("sendTransaction", base64.b64encode(raw).decode(), config)
    until(lambda: holder(counter, "confirmed") == str(vault), "the vault has it")
    counter.manifest(
        f'\n[signer]\nbackend = "squads"\nmultisig = "{multisig}"\n[payer]\nbackend = "development"\n'
        f"[next-authority]\n{counter.key('next')}"
    )
    assert "SHIP-Q87" in counter.ship("signer", "rotate", *CHAIN, "--yes", code=2).output
    finalize = ("solana", "finalize", *CHAIN, "--program", "counter", "--confirm", PROGRAM, "--yes")
    assert "SHIP-Q87" in counter.ship(*finalize, code=2).output
    (listed,) = counter.json("signer", "list")["signers"]
    assert listed["found"] == str(vault)
    assert str(vault) in counter.ship("signer", "address", *CHAIN).output
    assert "a vault, which has no key" in counter.ship("signer", "test", *CHAIN, code=2).output
    assert str(vault) in counter.ship("doctor").output


def test_what_is_asked_to_be_closed_twice_is_closed_once(upgraded: Counter, monkeypatch: Any) -> None:
    """Killed when the buffer was gone and nothing was recorded."""
    (staged,) = upgraded.json("solana", "buffers", *CHAIN)["buffers"]

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    close = ("solana", "buffers", *CHAIN, "--close", staged["address"], "--yes")
    with monkeypatch.context() as patch:
        patch.setattr(running, "errand_record", killed)
        upgraded.ship(*close, code=3)
    done = upgraded.json(*close)
    assert (done["closed"], done["sent"]) == ([staged["address"]], 0)
    assert len([row for row in upgraded.rows("sol.signed") if row["step"] == "close"]) == 1
