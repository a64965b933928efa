"""Every byte that goes to the Squads program, and every account read from it, held against the SDK its authors publish."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
from typing import Any

import pytest
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from chains.solana.layouts import Account
from chains.solana.squads.accounts import parse_multisig, parse_proposal, parse_transaction
from chains.solana.squads.addresses import (
    SQUADS,
    multisig_address,
    proposal_address,
    transaction_address,
    vault_address,
)
from chains.solana.squads.instructions import (
    proposal_create,
    proposal_vote,
    vault_transaction_create,
    vault_transaction_execute,
)
from chains.solana.squads.message import VaultMessage, compile_vault_message
from tests.support.missing import missing
from tests.support.solana_node import ROOT

SDK = ROOT / "tests" / "projects" / "squads-sdk"
CASES = 200


def drawn(seed: int) -> dict[str, Any]:
    """One multisig and what its vault is to do: few keys, so that they meet in several parts."""
    rng = random.Random(seed)
    key = lambda: str(Pubkey.from_bytes(rng.randbytes(32)))  # noqa: E731
    some = [key() for _ in range(rng.randint(1, 12))] + ["vault"]
    flag = lambda: rng.random() < 0.4  # noqa: E731
    return {
        "createKey": key(),
        "index": rng.choice([1, 2, 255, 256, rng.randint(1, 2**40)]),
        "vaultIndex": rng.choice([0, 0, 1, 255]),
        "creator": key(),
        "payer": key(),
        "memo": rng.choice([None, "", "v1.2.0 ü"]),
        "instructions": [
            {
                "program": rng.choice(some),
                "keys": [[rng.choice(some), flag(), flag()] for _ in range(rng.randint(0, 9))],
                "data": rng.randbytes(rng.choice([0, 4, 255, 256, 300])).hex(),
            }
            for _ in range(rng.randint(0, 5))
        ],
        "status": rng.choice(["Draft", "Active", "Rejected", "Approved", "Executed", "Cancelled"]),
        "since": rng.randint(0, 2**40),
        "approved": [key() for _ in range(rng.randint(0, 4))],
        "threshold": 1,
        "timeLock": rng.randint(0, 7_776_000),
        "stale": 0,
        "collector": rng.choice([None, key()]),
        "members": sorted(
            ([key(), mask] for mask in [7, *(rng.randint(0, 7) for _ in range(rng.randint(0, 6)))]),
            key=lambda one: bytes(Pubkey.from_string(str(one[0]))),
        ),
    }


def message_of(case: dict[str, Any]) -> tuple[Pubkey, Pubkey, VaultMessage]:
    multisig = multisig_address(Pubkey.from_string(case["createKey"]))[0]
    vault = vault_address(multisig, case["vaultIndex"])[0]
    at = lambda text: vault if text == "vault" else Pubkey.from_string(text)  # noqa: E731
    made = [
        Instruction(
            at(one["program"]),
            bytes.fromhex(one["data"]),
            [AccountMeta(at(key), signs, writes) for key, signs, writes in one["keys"]],
        )
        for one in case["instructions"]
    ]
    return multisig, vault, compile_vault_message(vault, made)


def kept(message: VaultMessage) -> dict[str, Any]:
    return {
        "numSigners": message.signers,
        "numWritableSigners": message.writable_signers,
        "numWritableNonSigners": message.writable_others,
        "accountKeys": [str(key) for key in message.keys],
        "instructions": [
            {"programIdIndex": one.program, "accountIndexes": list(one.accounts), "data": one.data.hex()}
            for one in message.instructions
        ],
        "addressTableLookups": [],
    }


def shown(made: Instruction) -> dict[str, Any]:
    keys = [[str(meta.pubkey), meta.is_signer, meta.is_writable] for meta in made.accounts]
    return {"program": str(made.program_id), "keys": keys, "data": bytes(made.data).hex()}


@pytest.fixture(scope="module")
def compared() -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Cases, and what the SDK makes of them."""
    if not (SDK / "node_modules").is_dir() or shutil.which("node") is None:
        missing("@sqds/multisig is missing: run scripts/setup")
    cases = [drawn(seed) for seed in range(CASES)]
    given = json.dumps([{**case, "kept": kept(message_of(case)[2])} for case in cases])
    done = subprocess.run(
        ["node", "encode.js"], cwd=SDK, input=given, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return list(zip(cases, json.loads(done.stdout), strict=True))


def test_addresses(compared) -> None:
    for case, sdk in compared:
        multisig, vault, _ = message_of(case)
        index = case["index"]
        ours = [multisig, vault, transaction_address(multisig, index)[0], proposal_address(multisig, index)[0]]
        assert [str(key) for key in ours] == [sdk[name] for name in ("multisig", "vault", "transaction", "proposal")]


def test_messages(compared) -> None:
    for case, sdk in compared:
        assert message_of(case)[2].compact().hex() == sdk["compact"], case
    assert len({sdk["compact"] for _, sdk in compared}) == CASES


def test_instructions(compared) -> None:
    for case, sdk in compared:
        multisig, vault, message = message_of(case)
        index, memo = case["index"], case["memo"]
        creator, payer = Pubkey.from_string(case["creator"]), Pubkey.from_string(case["payer"])
        create = vault_transaction_create(multisig, index, creator, payer, case["vaultIndex"], message, memo)
        assert shown(create) == sdk["create"], case
        assert shown(proposal_create(multisig, index, creator, payer)) == sdk["open"]
        for vote in ("approve", "reject", "cancel"):
            assert shown(proposal_vote(vote, multisig, index, creator, memo)) == sdk[vote]  # type: ignore[arg-type]
        assert shown(vault_transaction_execute(multisig, index, creator, vault, message)) == sdk["execute"]


def test_accounts(compared) -> None:
    for case, sdk in compared:
        account = {
            name: Account(1, str(SQUADS), bytes.fromhex(data), False, 1) for name, data in sdk["accounts"].items()
        }
        _, _, message = message_of(case)
        made = parse_transaction(sdk["transaction"], account["transaction"])
        assert made.message == message
        assert made.message.borsh().hex() in sdk["accounts"]["transaction"]
        assert (str(made.multisig), str(made.creator), made.index) == (sdk["multisig"], case["creator"], case["index"])
        assert (made.vault_index, made.ephemeral_signers) == (case["vaultIndex"], 0)
        votes = parse_proposal(sdk["proposal"], account["proposal"])
        assert (votes.status, votes.since_s, votes.index) == (case["status"].lower(), case["since"], case["index"])
        assert [str(one) for one in votes.approved] == case["approved"]
        multisig = parse_multisig(sdk["multisig"], account["multisig"])
        assert [[str(one.key), one.mask] for one in multisig.members] == case["members"]
        assert (multisig.threshold, multisig.time_lock_s) == (1, case["timeLock"])
        assert (multisig.transaction_index, multisig.config_authority) == (case["index"], None)
