"""The keys of the local chains: public knowledge, and refused anywhere else."""

from __future__ import annotations

from chains.evm.localnet import LOCAL_CHAIN_ID
from pipeline.signing.context import SignerContext
from pipeline.signing.ed25519 import LocalEd25519
from pipeline.signing.keystore import LocalKey

__all__ = ["ed25519_public_key", "evm_address", "open_ed25519", "open_evm"]

_DEVELOPMENT_KEY = bytes.fromhex("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")
"""The first account of every anvil and hardhat node."""

_DEVELOPMENT_SEED = bytes.fromhex("a01c67efb5cb8f62f15907a9fcf124c73d2695c8a9a31f21c05742a31ca1dc72")
"""The first Solana account of the same words, "test … junk", at m/44'/501'/0'/0'."""


def open_evm(context: SignerContext) -> LocalKey:
    """The key. Raises ``SignerUnavailable`` for a target that is not the local chain."""
    chain = context.target.chain
    if chain.chain_id != LOCAL_CHAIN_ID or not chain.local:
        raise context.unavailable(
            f"the development key is public and signs only on the local chain {LOCAL_CHAIN_ID}",
            remedy="Set `backend` under [signer] to one that holds a key of your own.",
        )
    return LocalKey(_DEVELOPMENT_KEY, "development")


def evm_address(context: SignerContext) -> str:
    return open_evm(context).address


def open_ed25519(context: SignerContext) -> LocalEd25519:
    """The key. Raises ``SignerUnavailable`` for a target that is not a local Solana chain."""
    chain = context.target.chain
    if chain.kind != "solana" or not chain.local:
        raise context.unavailable(
            "the development key is public and signs only on a local Solana chain",
            remedy="Set `backend` under [signer] to one that holds a key of your own.",
        )
    return LocalEd25519(_DEVELOPMENT_SEED, "development")


def ed25519_public_key(context: SignerContext) -> bytes:
    return open_ed25519(context).public_key
