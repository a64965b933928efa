"""A Safe's proposal, checked again: its hash by another EIP-712 implementation, its calls out of its own bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.second_reader.contracts import Contracts
from pipeline.second_reader.reading import read_call

__all__ = ["proposal_difference"]

_MEMBERS = (
    ("to", "address"), ("value", "uint256"), ("data", "bytes"), ("operation", "uint8"), ("safeTxGas", "uint256"),
    ("baseGas", "uint256"), ("gasPrice", "uint256"), ("gasToken", "address"), ("refundReceiver", "address"),
    ("nonce", "uint256"),
)  # fmt: skip


def proposal_difference(
    proposal: Mapping[str, Any], actions: Sequence[Mapping[str, Any]], chain_id: int, contracts: Contracts
) -> str | None:
    """The field of ``proposal`` (as in the plan's file) that differs from what it is said to be, or nothing."""
    tx = proposal["tx"]
    if _hash(tx, proposal["safe"], chain_id) != proposal["hash"]:
        return "hash"
    outer = read_call(tx["to"].lower(), int(tx["value"]), bytes.fromhex(tx["data"][2:]), contracts)
    made = [outer] if tx["operation"] == 0 else list(outer.inner)
    planned = [a for a in actions if a["id"] in proposal["actions"]]
    read = [(call.to.lower(), call.value_wei, "0x" + call.data.hex()) for call in made]
    shown = [(a["to"].lower(), int(a["value_wei"]), a["data"]) for a in planned]
    return None if read == shown else "tx"


def _hash(tx: Mapping[str, Any], safe: str, chain_id: int) -> str:
    from eth_account.messages import encode_typed_data
    from eth_utils.crypto import keccak

    texts = {"to", "data", "gasToken", "refundReceiver"}
    message = {name: tx[name] if name in texts else int(tx[name]) for name, _ in _MEMBERS}
    signable = encode_typed_data(
        full_message={
            "types": {
                "EIP712Domain": [
                    {"name": "chainId", "type": "uint256"},
                    {"name": "verifyingContract", "type": "address"},
                ],
                "SafeTx": [{"name": name, "type": kind} for name, kind in _MEMBERS],
            },
            "primaryType": "SafeTx",
            "domain": {"chainId": chain_id, "verifyingContract": safe},
            "message": {**message, "data": bytes.fromhex(tx["data"][2:])},
        }
    )
    return "0x" + keccak(b"\x19" + signable.version + signable.header + signable.body).hex()
