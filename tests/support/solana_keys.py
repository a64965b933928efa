"""Encrypted Solana keyfiles that open quickly, and what a key does on a cluster by itself, past ``ship``."""

from __future__ import annotations

import base64
import json
import struct
from pathlib import Path

from eth_keyfile.keyfile import create_keyfile_json
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import Message
from solders.pubkey import Pubkey
from solders.transaction import Transaction

from tests.support.solana_loader import LOADER
from tests.support.solana_node import SolanaNode, until

__all__ = ["PASSWORD", "do", "keystore_table", "move_authority", "write_into"]

_AS_IT_IS = {"encoding": "base64", "skipPreflight": True}
PASSWORD = "canary-password-7f3e01"


def keystore_table(root: Path, key: Keypair, name: str) -> dict[str, str]:
    """[signer] or [payer] for ``key``, its files written into the project at ``root``."""
    data = create_keyfile_json(bytes(key)[:32], PASSWORD.encode(), kdf="pbkdf2", iterations=2)
    del data["address"]
    (root / f"{name}.json").write_text(json.dumps({"publicKey": str(key.pubkey()), **data}))
    secret = root / f"{name}.password"
    secret.write_text(PASSWORD + "\n")
    secret.chmod(0o600)
    return {"backend": "keystore", "file": f"{name}.json", "password": f"file:{name}.password"}


def do(node: SolanaNode, key: Keypair, *made: Instruction) -> None:
    """Send instructions that ``key`` signs and pays for; they succeeded, and every commitment level sees it."""
    hashed = Hash.from_string(node.blockhash())
    one = Transaction([key], Message.new_with_blockhash(list(made), key.pubkey(), hashed), hashed)
    sent = node.call("sendTransaction", base64.b64encode(bytes(one)).decode(), _AS_IT_IS)
    until(lambda: (node.status(sent) or {}).get("confirmationStatus") == "finalized", "the transaction is final")
    status = node.status(sent)
    assert status
    assert status["err"] is None


def move_authority(node: SolanaNode, account: Pubkey, key: Keypair, to: Pubkey) -> None:
    """From ``key``, without asking whoever ``to`` is."""
    metas = [AccountMeta(account, False, True), AccountMeta(key.pubkey(), True, False), AccountMeta(to, False, False)]
    do(node, key, Instruction(LOADER, struct.pack("<I", 4), metas))


def write_into(node: SolanaNode, buffer: Pubkey, key: Keypair, at: int, data: bytes) -> None:
    metas = [AccountMeta(buffer, False, True), AccountMeta(key.pubkey(), True, False)]
    do(node, key, Instruction(LOADER, struct.pack("<IIQ", 1, at, len(data)) + data, metas))
