"""Where the Squads v4 program keeps what: every address follows from the multisig's, and from an index.

Source: Squads v4, ``state/seeds.rs``; numbers in seeds are little-endian.
"""

from __future__ import annotations

import struct

from solders.pubkey import Pubkey

__all__ = ["SQUADS", "multisig_address", "proposal_address", "transaction_address", "vault_address"]

SQUADS = Pubkey.from_string("SQDS4ep65T869zMMBKyuUq6aD6EgTu8psMjkvj52pCf")
_PREFIX = b"multisig"


def multisig_address(create_key: Pubkey) -> tuple[Pubkey, int]:
    """Where the multisig of this create key lies, and the bump that puts it there."""
    return Pubkey.find_program_address([_PREFIX, b"multisig", bytes(create_key)], SQUADS)


def vault_address(multisig: Pubkey, index: int) -> tuple[Pubkey, int]:
    """The vault that signs for the multisig; ``index`` from 0 to 255. Not the multisig's own address."""
    return Pubkey.find_program_address([_PREFIX, bytes(multisig), b"vault", bytes([index])], SQUADS)


def transaction_address(multisig: Pubkey, index: int) -> tuple[Pubkey, int]:
    """Where the multisig's transaction number ``index`` lies; the first is 1."""
    return Pubkey.find_program_address([_PREFIX, bytes(multisig), b"transaction", struct.pack("<Q", index)], SQUADS)


def proposal_address(multisig: Pubkey, index: int) -> tuple[Pubkey, int]:
    """Where the votes on transaction number ``index`` lie."""
    seeds = [_PREFIX, bytes(multisig), b"transaction", struct.pack("<Q", index), b"proposal"]
    return Pubkey.find_program_address(seeds, SQUADS)
