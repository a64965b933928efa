"""Clients that no one here wrote work on the local node: solana-py, anchorpy, @solana/web3.js."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import subprocess
from collections.abc import Iterator
from hashlib import sha256

import pytest
from anchorpy import Context, Idl, Program, Provider, Wallet
from anchorpy.error import ProgramError
from solana.rpc.api import Client
from solana.rpc.async_api import AsyncClient
from solana.rpc.commitment import Confirmed, Finalized, Processed
from solana.rpc.types import TxOpts
from solana.rpc.websocket_api import connect
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import Message
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.system_program import TransferParams, transfer
from solders.transaction import Transaction

from tests.support.anchor_idl import legacy_idl
from tests.support.missing import missing
from tests.support.solana_loader import deploy_transactions, program_data
from tests.support.solana_node import COUNTER, ROOT, SolanaNode, solana_node

WEB3JS = ROOT / "tests" / "projects" / "web3js"


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SolanaNode]:
    """A node whose slots pass by themselves, as clients expect it."""
    with solana_node(tmp_path_factory.mktemp("live"), slot_ms=20) as node:
        yield node


def counter_keypair() -> Keypair:
    return Keypair.from_bytes(bytes(json.loads((COUNTER / "target/deploy/counter-keypair.json").read_text())))


def test_web3js(live):
    if not (WEB3JS / "node_modules").is_dir() or shutil.which("node") is None:
        missing("@solana/web3.js is missing: run scripts/setup")
    done = subprocess.run(
        ["node", "talk.js", live.url], cwd=WEB3JS, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen.pop("genesis") == live.call("getGenesisHash")
    assert seen == {
        "version": {"solana-core": "2.0.0", "feature-set": 0},
        "airdrop": None,
        "balance": 2 * 10**9,
        "slot": True,
        "changes": [10**9],
        "logs": 2,
        "fee": 5_000,
        "signers": 1,
        "history": [True],
        "block": True,
        "messageFee": 5_000,
        "simulated": {"InstructionError": [0, {"Custom": 1}]},
        "refused": "Transaction simulation failed: Error processing Instruction 0: custom program error: 0x1",
        "expires": True,
    }


@pytest.fixture
def client(live: SolanaNode) -> Iterator[Client]:
    one = Client(live.url, commitment=Confirmed)
    yield one
    one._provider.session.close()  # it has no way of its own to do that


def test_solana_py_airdrops_transfers_and_deploys(client):
    assert client.is_connected()
    payer, to, program = Keypair(), Keypair().pubkey(), Keypair()
    client.confirm_transaction(client.request_airdrop(payer.pubkey(), 50 * 10**9).value, Confirmed)
    hashed = client.get_latest_blockhash().value.blockhash
    move = transfer(TransferParams(from_pubkey=payer.pubkey(), to_pubkey=to, lamports=10**9))
    message = Message.new_with_blockhash([move], payer.pubkey(), hashed)
    assert client.get_fee_for_message(message).value == 5_000
    sent = client.send_transaction(Transaction([payer], message, hashed)).value
    client.confirm_transaction(sent, Confirmed)
    assert client.get_balance(to).value == 10**9
    landed = client.get_transaction(sent, max_supported_transaction_version=0).value
    assert landed
    assert landed.transaction.meta
    assert landed.transaction.meta.err is None
    assert [row.signature for row in client.get_signatures_for_address(to).value] == [sent]

    elf = (COUNTER / "target/deploy/counter.so").read_bytes()
    rent = lambda length: client.get_minimum_balance_for_rent_exemption(length).value  # noqa: E731
    for wave in deploy_transactions(payer, program, elf, str(client.get_latest_blockhash().value.blockhash), rent):
        opts = TxOpts(preflight_commitment=Processed)
        for signature in [client.send_transaction(one, opts=opts).value for one in wave]:
            assert client.confirm_transaction(signature, Confirmed).value[0].err is None  # type: ignore[union-attr]
    found = client.get_account_info(program_data(program.pubkey())).value
    assert found
    assert found.data[45:] == elf
    assert client.get_account_info(program.pubkey()).value.executable  # type: ignore[union-attr]
    assert client.get_epoch_info().value.absolute_slot <= client.get_slot(Processed).value
    assert client.get_block(landed.slot, max_supported_transaction_version=0).value.transactions  # type: ignore[union-attr]


def test_solana_py_is_told_over_websocket(live):
    async def told() -> tuple[int, object]:
        payer = Keypair().pubkey()
        async with connect(live.net.websocket_url) as socket:
            await socket.slot_subscribe()
            first = await socket.recv()
            slots = await socket.recv()
            await socket.slot_unsubscribe(first[0].result)
            signature = Signature.from_string(live.call("requestAirdrop", str(payer), 10**9))
            await socket.signature_subscribe(signature, Finalized)
            while True:
                for message in await socket.recv():
                    if type(message).__name__ == "SignatureNotification":
                        status = live.status(signature)
                        assert status
                        assert status["confirmationStatus"] == "finalized"
                        return slots[0].result.slot, message.result.value.err

    slot, error = asyncio.run(asyncio.wait_for(told(), 30))
    assert slot > 0
    assert error is None


@pytest.mark.parametrize(("folder", "knows_add"), [("target", False), ("next", True)])
def test_anchorpy_drives_the_counter(tmp_path, folder, knows_add):
    key = counter_keypair()

    async def drive(node: SolanaNode) -> None:
        payer = node_payer(node)
        rent = lambda length: node.call("getMinimumBalanceForRentExemption", length)  # noqa: E731
        elf = (COUNTER / folder / "deploy/counter.so").read_bytes()
        client = AsyncClient(node.url, commitment=Confirmed)
        for wave in deploy_transactions(payer, key, elf, node.blockhash("finalized"), rent):
            for one in wave:
                await client.confirm_transaction(
                    (await client.send_transaction(one)).value, Confirmed, sleep_seconds=0.01
                )
        idl = json.loads((COUNTER / folder / "idl/counter.json").read_text())
        assert idl["address"] == str(key.pubkey())
        provider = Provider(client, Wallet(payer), TxOpts(skip_confirmation=False, preflight_commitment=Confirmed))
        program = Program(Idl.from_json(json.dumps(legacy_idl(idl))), key.pubkey(), provider)
        counter, bump = Pubkey.find_program_address([b"counter", bytes(payer.pubkey())], key.pubkey())
        accounts = {"counter": counter, "authority": payer.pubkey()}
        await program.rpc["initialize"](ctx=Context(accounts={**accounts, "system_program": Pubkey.default()}))
        for _ in range(2):
            await program.rpc["increment"](ctx=Context(accounts=accounts))
        state = await program.account["Counter"].fetch(counter)
        assert (state.authority, state.count, state.bump) == (payer.pubkey(), 2, bump)
        if knows_add:
            await program.rpc["add"](40, ctx=Context(accounts=accounts))
            assert (await program.account["Counter"].fetch(counter)).count == 42
            with pytest.raises(ProgramError) as caught:
                await program.rpc["add"](2**64 - 1, ctx=Context(accounts=accounts))
            assert (caught.value.code, caught.value.msg) == (6001, "The count would overflow")
        stranger = node_payer(node)
        context = Context(accounts={**accounts, "authority": stranger.pubkey()}, signers=[stranger])
        with pytest.raises(ProgramError) as caught:
            await program.rpc["increment"](ctx=context)
        assert (caught.value.code, caught.value.msg) == (6000, "Only the counter's authority may count")
        await program.close()

    def node_payer(node: SolanaNode) -> Keypair:
        payer = Keypair()
        node.call("requestAirdrop", str(payer.pubkey()), 50 * 10**9)
        node.advance(33)
        return payer

    with solana_node(tmp_path, slot_ms=20) as node:
        asyncio.run(asyncio.wait_for(drive(node), 60))


def test_a_version_1_program_does_not_know_add(tmp_path):
    with solana_node(tmp_path) as node:
        payer, key = node.funded(), counter_keypair()
        rent = lambda length: node.call("getMinimumBalanceForRentExemption", length)  # noqa: E731
        elf = (COUNTER / "target/deploy/counter.so").read_bytes()
        for wave in deploy_transactions(payer, key, elf, node.blockhash("finalized"), rent):
            for one in wave:
                node.call("sendTransaction", base64.b64encode(bytes(one)).decode(), {"encoding": "base64"})
        node.advance()
        data = sha256(b"global:add").digest()[:8] + bytes(8)
        meta = AccountMeta(payer.pubkey(), True, True)
        message = Message.new_with_blockhash([Instruction(key.pubkey(), data, [meta])], payer.pubkey(), Hash.default())
        raw = base64.b64encode(bytes(Transaction.new_unsigned(message))).decode()
        config = {"encoding": "base64", "replaceRecentBlockhash": True, "commitment": "processed"}
        value = node.call("simulateTransaction", raw, config)["value"]
        assert value["err"] == {"InstructionError": [0, {"Custom": 101}]}
