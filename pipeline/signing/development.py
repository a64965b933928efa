"""The key of the local chain: public knowledge, and refused anywhere else."""

from __future__ import annotations

from chains.evm.localnet import LOCAL_CHAIN_ID
from pipeline.signing.context import SignerContext
from pipeline.signing.keystore import LocalKey

__all__ = ["evm_address", "open_evm"]

_DEVELOPMENT_KEY = bytes.fromhex("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")
"""The first account of every anvil and hardhat node."""


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
