"""The local Solana node behaves as a cluster does where ``ship`` depends on it."""

from __future__ import annotations

import base64
import contextlib
import os
import signal
from typing import Any

import pytest
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import Message
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from solders.transaction import Transaction

from chains.rpc import Endpoint, RpcFault
from chains.solana.localnet import running, start, stop
from tests.support.solana_loader import LOADER, deploy_transactions, program_data, upgrade_transactions
from tests.support.solana_node import COUNTER, ROOT, SolanaNode, solana_node, until

V1, V2 = (COUNTER / folder / "deploy" / "counter.so" for folder in ("target", "next"))


def move(node: SolanaNode, payer: Keypair, lamports: int = 10**7, blockhash: str | None = None) -> Transaction:
    hashed = Hash.from_string(blockhash or node.blockhash())
    params = TransferParams(from_pubkey=payer.pubkey(), to_pubkey=Keypair().pubkey(), lamports=lamports)
    return Transaction([payer], Message.new_with_blockhash([transfer(params)], payer.pubkey(), hashed), hashed)


def send(node: SolanaNode, transaction: Transaction, **config: Any) -> str:
    raw = base64.b64encode(bytes(transaction)).decode()
    config = {"encoding": "base64", "preflightCommitment": "processed", **config}
    return str(node.call("sendTransaction", raw, config))


def send_all(node: SolanaNode, waves: list[list[Transaction]]) -> str:
    """All of them; the last one's signature."""
    signature = ""
    for wave in waves:
        for transaction in wave:
            signature = send(node, transaction)
    return signature


def rent(node: SolanaNode):
    return lambda length: node.call("getMinimumBalanceForRentExemption", length)


def error_of(node: SolanaNode, transaction: Transaction, **config: Any) -> tuple[int, str]:
    with pytest.raises(RpcFault) as caught:
        send(node, transaction, **config)
    return caught.value.code, caught.value.message


def test_the_same_transaction_is_taken_once(shared):
    payer = shared.funded()
    transaction = move(shared, payer)
    send(shared, transaction)
    before = shared.call("getBalance", str(payer.pubkey()), {"commitment": "processed"})["value"]
    code, message = error_of(shared, transaction)
    assert (code, "already been processed" in message) == (-32002, True)
    # Without preflight a node takes anything, and the leader drops what it knows.
    assert send(shared, transaction, skipPreflight=True) == str(transaction.signatures[0])
    assert shared.call("getBalance", str(payer.pubkey()), {"commitment": "processed"})["value"] == before


def test_a_commitment_level_sees_a_transaction_when_its_time_has_come(shared):
    payer = shared.funded()
    transaction = move(shared, payer)
    signature, to = send(shared, transaction), transaction.message.account_keys[1]

    def seen() -> tuple[str, int, int, int]:
        found = shared.status(signature)
        assert found
        levels = ("processed", "confirmed", "finalized")
        there = [shared.account(to, level) is not None for level in levels]
        return (found["confirmationStatus"], *map(int, there))  # type: ignore[return-value]

    assert seen() == ("processed", 1, 0, 0)
    shared.advance()
    assert seen() == ("confirmed", 1, 1, 0)
    assert shared.call("getTransaction", signature, {"encoding": "json", "commitment": "finalized"}) is None
    shared.advance(30)
    assert seen() == ("confirmed", 1, 1, 0)
    shared.advance()
    assert seen() == ("finalized", 1, 1, 1)
    assert shared.call("getTransaction", signature, {"encoding": "json"})["meta"]["fee"] == 5000


def test_a_blockhash_is_good_for_150_blocks(shared):
    payer = shared.funded()
    latest = shared.call("getLatestBlockhash", {"commitment": "processed"})["value"]
    valid = lambda: shared.call("isBlockhashValid", latest["blockhash"], {"commitment": "processed"})["value"]  # noqa: E731
    shared.advance(150)
    assert shared.call("getBlockHeight", {"commitment": "processed"}) == latest["lastValidBlockHeight"]
    assert valid()
    last = move(shared, payer, blockhash=latest["blockhash"])
    send(shared, last)
    shared.advance()
    assert not valid()
    late = move(shared, payer, blockhash=latest["blockhash"])
    code, message = error_of(shared, late)
    assert (code, "Blockhash not found" in message) == (-32002, True)
    send(shared, late, skipPreflight=True)
    assert shared.status(late.signatures[0]) is None
    assert shared.status(last.signatures[0])


def test_preflight_at_finalized_does_not_know_a_newer_blockhash(shared):
    payer = shared.funded()
    assert "Blockhash not found" in error_of(shared, move(shared, payer), preflightCommitment="finalized")[1]
    send(shared, move(shared, payer, blockhash=shared.blockhash("finalized")), preflightCommitment="finalized")


def test_a_failed_transaction_lands_and_pays_its_fee(shared):
    payer = shared.funded(1)
    transaction = move(shared, payer, lamports=5 * 10**9)
    code, message = error_of(shared, transaction)
    assert (code, "custom program error: 0x1" in message) == (-32002, True)
    assert shared.status(transaction.signatures[0]) is None
    send(shared, transaction, skipPreflight=True)
    assert shared.status(transaction.signatures[0])["err"] == {"InstructionError": [0, {"Custom": 1}]}
    assert shared.call("getBalance", str(payer.pubkey()), {"commitment": "processed"})["value"] == 10**9 - 5000


def test_a_false_signature_is_refused(shared):
    good = move(shared, shared.funded())
    false = Transaction.populate(good.message, [Keypair().sign_message(b"another message")])
    assert error_of(shared, false)[0] == -32003
    send(shared, false, skipPreflight=True)
    assert shared.status(false.signatures[0]) is None


def test_a_program_runs_from_the_slot_after_its_deployment(node):
    payer, program = node.funded(), Keypair()
    elf = V1.read_bytes()
    send_all(node, deploy_transactions(payer, program, elf, node.blockhash(), rent(node), max_length=20_000))
    data = node.account(program_data(program.pubkey()))
    assert data["data"][45 : 45 + len(elf)] == elf
    assert int.from_bytes(data["data"][4:12], "little") == node.call("getSlot", {"commitment": "processed"})

    def call(tag: bytes = bytes(8)) -> Transaction:
        instruction = Instruction(program.pubkey(), tag, [AccountMeta(payer.pubkey(), True, True)])
        hashed = Hash.from_string(node.blockhash())
        return Transaction([payer], Message.new_with_blockhash([instruction], payer.pubkey(), hashed), hashed)

    early = call()
    assert "UnsupportedProgramId" in error_of(node, early)[1]
    send(node, early, skipPreflight=True)
    assert node.status(early.signatures[0])["err"] == {"InstructionError": [0, "UnsupportedProgramId"]}
    node.advance()
    assert "custom program error: 0x65" in error_of(node, call())[1]  # it runs: an instruction it does not know

    node.advance()
    send_all(node, upgrade_transactions(payer, program.pubkey(), V2.read_bytes(), node.blockhash(), rent(node)))
    assert "UnsupportedProgramId" in error_of(node, call(b"12345678"))[1]
    node.advance()
    assert "0x65" in error_of(node, call(b"12345678"))[1]


def test_what_was_forked_away_never_happened(node):
    payer, program = node.funded(), Keypair()
    send_all(
        node, deploy_transactions(payer, program, V1.read_bytes(), node.blockhash(), rent(node), max_length=20_000)
    )
    node.advance(3)
    kept = node.account(program_data(program.pubkey()))
    send_all(node, upgrade_transactions(payer, program.pubkey(), V2.read_bytes(), node.blockhash(), rent(node)))
    lost = move(node, payer)
    signature = send(node, lost)
    node.advance(2)
    assert node.status(signature)["confirmationStatus"] == "confirmed"
    slot, height = (node.call(name, {"commitment": "processed"}) for name in ("getSlot", "getBlockHeight"))

    assert node.call("ship_rollback", 3) == slot + 1
    assert node.call("getBlockHeight", {"commitment": "processed"}) == height - 2
    assert node.status(signature) is None
    assert node.account(lost.message.account_keys[1]) is None
    assert node.account(program_data(program.pubkey())) == kept
    assert node.call("getSignaturesForAddress", str(lost.message.account_keys[1]), {"commitment": "confirmed"}) == []
    # Its blockhash was of the lost fork too.
    assert "Blockhash not found" in error_of(node, lost)[1]
    send_all(node, upgrade_transactions(payer, program.pubkey(), V2.read_bytes(), node.blockhash(), rent(node)))
    node.advance()
    assert node.account(program_data(program.pubkey()))["data"][45 : 45 + 5000] == V2.read_bytes()[:5000]


def test_a_resend_lands_after_a_fork_that_keeps_its_blockhash(node):
    payer = node.funded()
    transaction = move(node, payer, blockhash=node.blockhash("finalized"))
    signature = send(node, transaction)
    node.call("ship_rollback", 1)
    assert node.status(signature) is None
    assert send(node, transaction) == signature
    assert node.status(signature)


def test_what_is_final_cannot_be_forked_away(shared):
    with pytest.raises(RpcFault, match="1 to 32 blocks"):
        shared.call("ship_rollback", 33)


def test_slots_can_be_skipped_and_blockhashes_expired(node):
    payer = node.funded()
    height, hashed = node.call("getBlockHeight", {"commitment": "processed"}), node.blockhash()
    assert node.call("ship_setSlot", 5_000) == 5_000
    assert node.call("getBlockHeight", {"commitment": "processed"}) == height + 1
    assert node.call("isBlockhashValid", hashed, {"commitment": "processed"})["value"]
    node.advance()
    with pytest.raises(RpcFault, match="skipped"):
        node.call("getBlock", 4_000, {"commitment": "confirmed"})
    node.call("ship_expireBlockhashes")
    assert "Blockhash not found" in error_of(node, move(node, payer, blockhash=hashed))[1]


@pytest.mark.parametrize(
    "method", ["ship_setSlot", "ship_advance", "ship_rollback", "ship_expireBlockhashes", "ship_setAccount"]
)
def test_the_methods_for_tests_are_not_there_unless_asked_for(tmp_path, method):
    net = start(tmp_path, ROOT, kind="localnode")
    try:
        answer = Endpoint(net.url).batch([(method, [1])])[0]
        assert isinstance(answer, RpcFault)
        assert answer.code == -32601
    finally:
        stop(net)


def test_an_account_put_there_is_kept_and_forked_away_like_any_other(node):
    key, owner = str(Keypair().pubkey()), str(Keypair().pubkey())
    given = {"lamports": 0, "owner": owner, "executable": False, "data": base64.b64encode(b"held").decode()}
    node.advance(40)
    node.call("ship_setAccount", key, given)
    assert node.account(key, "finalized") is None
    node.call("ship_rollback", 1)
    assert node.account(key) is None
    node.call("ship_setAccount", key, given)
    node.advance(40)
    found = node.account(key, "finalized")
    assert (found["owner"], found["data"]) == (owner, b"held")
    for wrong in ({**given, "data": "?"}, {**given, "owner": "me"}, {**given, "lamports": -1}):
        with pytest.raises(RpcFault, match="Invalid params"):
            node.call("ship_setAccount", key, wrong)


def test_simulation_keeps_nothing_and_shows_the_accounts_after(shared):
    payer = shared.funded()
    transaction = move(shared, payer, lamports=10**8)
    to = str(transaction.message.account_keys[1])
    unsigned = base64.b64encode(bytes(Transaction.new_unsigned(transaction.message))).decode()
    config = {"encoding": "base64", "commitment": "processed", "accounts": {"encoding": "base64", "addresses": [to]}}
    value = shared.call("simulateTransaction", unsigned, {**config, "replaceRecentBlockhash": True})["value"]
    assert value["err"] is None
    assert value["accounts"][0]["lamports"] == 10**8
    assert value["unitsConsumed"] == 150
    assert value["replacementBlockhash"]["blockhash"] == shared.blockhash()
    assert shared.account(to) is None
    with pytest.raises(RpcFault, match="signature verification"):
        shared.call("simulateTransaction", unsigned, {**config, "sigVerify": True})


def test_program_accounts_are_found_by_what_they_hold(node):
    payer, other = node.funded(), node.funded()
    for key in (payer, other):
        send(node, deploy_transactions(key, Keypair(), bytes(100), node.blockhash(), rent(node))[0][0])
    found = node.call(
        "getProgramAccounts",
        str(LOADER),
        {
            "encoding": "base64",
            "commitment": "processed",
            "dataSlice": {"offset": 0, "length": 4},
            "filters": [{"dataSize": 137}, {"memcmp": {"offset": 5, "bytes": str(payer.pubkey())}}],
        },
    )
    assert [base64.b64decode(row["account"]["data"][0]) for row in found] == [b"\1\0\0\0"]
    assert found[0]["account"]["space"] == 137


def test_priority_fees_are_charged_and_told(shared):
    from solders.compute_budget import set_compute_unit_limit, set_compute_unit_price

    payer = shared.funded()
    hashed = Hash.from_string(shared.blockhash())
    params = TransferParams(from_pubkey=payer.pubkey(), to_pubkey=Keypair().pubkey(), lamports=10**7)
    instructions = [set_compute_unit_limit(1_001), set_compute_unit_price(2_000_001), transfer(params)]
    message = Message.new_with_blockhash(instructions, payer.pubkey(), hashed)
    asked = shared.call("getFeeForMessage", base64.b64encode(bytes(message)).decode(), {"commitment": "processed"})
    signature = send(shared, Transaction([payer], message, hashed))
    charged = 100 * 10**9 - 10**7 - shared.account(payer.pubkey())["lamports"]
    assert asked["value"] == charged == 5_000 + 2_003
    shared.advance()
    row = shared.call("getTransaction", signature, {"encoding": "json", "commitment": "confirmed"})
    assert row["meta"]["fee"] == charged
    shared.call("ship_setPrioritizationFee", 77)
    assert {row["prioritizationFee"] for row in shared.call("getRecentPrioritizationFees", [])} == {77}


def test_a_large_real_program_is_at_hand_and_can_be_deployed(node):
    elf = node.built_in_elf()
    assert len(elf) > 400_000
    assert elf[:4] == b"\x7fELF"
    payer, program = node.funded(), Keypair()
    send_all(node, deploy_transactions(payer, program, elf, node.blockhash(), rent(node)))
    assert node.account(program_data(program.pubkey()))["data"][45:] == elf


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("getBalance", ["no address"]),
        ("getBalance", []),
        ("getBalance", [7, 7]),
        ("sendTransaction", ["AAAA", {"encoding": "base64"}]),
        ("sendTransaction", ["%%%", {"encoding": "base64"}]),
        ("sendTransaction", ["", {"encoding": "base64"}]),
        ("getSlot", [{"commitment": "soon"}]),
        ("getMinimumBalanceForRentExemption", [-1]),
        ("getMultipleAccounts", [["1" * 32] * 101]),
        ("getProgramAccounts", [str(LOADER), {"filters": [{"other": 1}]}]),
        ("getSignatureStatuses", [["abc"]]),
        ("ship_rollback", ["x"]),
    ],
)
def test_a_wrong_request_is_the_clients_error_and_the_node_goes_on(shared, method, params):
    with pytest.raises(RpcFault) as caught:
        shared.call(method, *params)
    assert caught.value.code == -32602
    assert shared.call("getHealth") == "ok"


def test_every_method_that_clients_need_is_there(shared):
    known = {
        "getBalance": [str(Pubkey.default())],
        "getMinimumBalanceForRentExemption": [0],
        "getMultipleAccounts": [[str(Pubkey.default())]],
        "getBlocks": [0],
    }
    for method in (
        "getSlot", "getBlockHeight", "getEpochInfo", "getGenesisHash", "getHealth", "getVersion", "getLatestBlockhash",
        "getRecentPrioritizationFees", "getFirstAvailableBlock", "getIdentity", *known,
    ):  # fmt: skip
        assert shared.call(method, *known.get(method, [])) is not None, method


def test_state_survives_a_kill_and_the_genesis_hash_stays(tmp_path):
    with contextlib.ExitStack() as stack:
        node = stack.enter_context(solana_node(tmp_path))
        payer, program = node.funded(), Keypair()
        waves = deploy_transactions(payer, program, V1.read_bytes(), node.blockhash(), rent(node))
        signature = send_all(node, waves)
        node.advance()
        genesis, hashed = node.call("getGenesisHash"), node.blockhash("confirmed")
        slot, before = node.call("getSlot", {"commitment": "processed"}), node.account(program_data(program.pubkey()))
        os.kill(node.net.pid, signal.SIGKILL)
        until(lambda: running(tmp_path) is None, "the node is gone")
        with solana_node(tmp_path) as again:
            assert again.call("getGenesisHash") == genesis
            assert again.call("getSlot", {"commitment": "processed"}) > slot
            assert again.status(signature)["confirmationStatus"] == "finalized"
            assert again.account(program_data(program.pubkey())) == before
            assert again.call("isBlockhashValid", hashed, {"commitment": "processed"})["value"]
            send(again, move(again, payer, blockhash=hashed))
            lost = error_of(again, waves[-1][0])[1]
            assert "already been processed" in lost
