"""Puts the fakes of tests/support/solana at the addresses of the programs they stand for, as a cluster has them from its start."""

from __future__ import annotations

import base64
import struct
from pathlib import Path

from solders.pubkey import Pubkey

from tests.support.solana_loader import LOADER, program_data
from tests.support.solana_node import SolanaNode

__all__ = ["ANCHOR_IDL_FAKE", "METADATA_PROGRAM", "OTTER_VERIFY", "put_metadata_fake", "put_otter_verify_fake"]

FOLDER = Path(__file__).parent / "solana"
METADATA_PROGRAM = "ProgM6JCCvbYkfKqJYHePx4xxSUSqJp7rh8Lyv7nk7S"
OTTER_VERIFY = "verifycLy8mB96wd9wqq3WDXQwM4oU6r42Th37Db9fC"
ANCHOR_IDL_FAKE = FOLDER / "anchor_idl_fake.so"


def put_metadata_fake(node: SolanaNode) -> None:
    _put(node, METADATA_PROGRAM, "program_metadata_fake")


def put_otter_verify_fake(node: SolanaNode) -> None:
    _put(node, OTTER_VERIFY, "otter_verify_fake")


def _put(node: SolanaNode, address: str, name: str) -> None:
    """An immutable program of the upgradeable loader, deployed at slot 0."""
    program, elf = Pubkey.from_string(address), (FOLDER / f"{name}.so").read_bytes()
    data = program_data(program)
    _account(node, data, struct.pack("<IQB32x", 3, 0, 0) + elf, executable=False)
    _account(node, program, struct.pack("<I", 2) + bytes(data), executable=True)
    node.advance(33)


def _account(node: SolanaNode, key: Pubkey, data: bytes, *, executable: bool) -> None:
    given = {
        "lamports": node.call("getMinimumBalanceForRentExemption", len(data)),
        "owner": str(LOADER),
        "executable": executable,
        "data": base64.b64encode(data).decode(),
    }
    node.call("ship_setAccount", str(key), given)
