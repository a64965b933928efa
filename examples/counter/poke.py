"""Shows what the counter does now: adds one, then tries to add five at once, which only its second version can.

    python poke.py http://127.0.0.1:PORT

A client of its own: solana-py, and nothing of ship's. It signs with the local chains' public development key.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from solana.rpc.api import Client
from solana.rpc.commitment import Confirmed
from solana.rpc.types import TxOpts
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import Message
from solders.pubkey import Pubkey
from solders.transaction import Transaction

IDL = json.loads((Path(__file__).parent / "next" / "idl" / "counter.json").read_text())
PROGRAM = Pubkey.from_string(IDL["address"])
DISCRIMINATORS = {entry["name"]: bytes(entry["discriminator"]) for entry in IDL["instructions"]}
# The first Solana account of the words "test test … junk": public knowledge.
KEY = Keypair.from_seed(bytes.fromhex("a01c67efb5cb8f62f15907a9fcf124c73d2695c8a9a31f21c05742a31ca1dc72"))
COUNTER = Pubkey.find_program_address([b"counter", bytes(KEY.pubkey())], PROGRAM)[0]


def count(client: Client) -> int:
    found = client.get_account_info(COUNTER, commitment=Confirmed).value
    assert found is not None, "the counter is not open: release it first"
    return int.from_bytes(found.data[40:48], "little")  # discriminator (8), authority (32), count (8)


def send(client: Client, name: str, arguments: bytes = b"") -> str:
    """What became of it, in a word."""
    accounts = [AccountMeta(COUNTER, False, True), AccountMeta(KEY.pubkey(), True, False)]
    made = Instruction(PROGRAM, DISCRIMINATORS[name] + arguments, accounts)
    blockhash = client.get_latest_blockhash(Confirmed).value.blockhash
    transaction = Transaction([KEY], Message([made], KEY.pubkey()), blockhash)
    signature = client.send_transaction(transaction, TxOpts(skip_preflight=True)).value
    status = client.confirm_transaction(signature, Confirmed, sleep_seconds=0.1).value[0]
    return "refused" if status is None or status.err is not None else "done"


def main(url: str) -> None:
    client = Client(url)
    print(f"the counter stands at {count(client)}")
    print(f"increment: {send(client, 'increment')}, it stands at {count(client)}")
    print(f"add 5:     {send(client, 'add', (5).to_bytes(8, 'little'))}, it stands at {count(client)}")


if __name__ == "__main__":
    main(sys.argv[1])
