"""A proposal as a file: a batch the Safe{Wallet} Transaction Builder imports, with everything else beside it.

Source: safe-apps-sdk, ``apps/tx-builder``, ``BatchFile`` version 1.0. The builder takes the calls and makes its own
transaction of them; who wants exactly ours signs the hash under ``ship``.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from chains.evm.actions import Action, EvmPlan
from chains.evm.proposal import Proposal
from chains.evm.safe.lifecycle import ProposalState
from chains.evm.safe.typed import SafeTx

__all__ = ["proposal_file", "typed_data"]


def typed_data(chain_id: int, safe: str, tx: SafeTx) -> dict[str, Any]:
    """What wallets sign, as ``eth_signTypedData_v4`` takes it."""
    fields = [
        ("to", "address"), ("value", "uint256"), ("data", "bytes"), ("operation", "uint8"), ("safeTxGas", "uint256"),
        ("baseGas", "uint256"), ("gasPrice", "uint256"), ("gasToken", "address"), ("refundReceiver", "address"),
        ("nonce", "uint256"),
    ]  # fmt: skip
    return {
        "types": {
            "EIP712Domain": [
                {"name": "chainId", "type": "uint256"},
                {"name": "verifyingContract", "type": "address"},
            ],
            "SafeTx": [{"name": name, "type": kind} for name, kind in fields],
        },
        "primaryType": "SafeTx",
        "domain": {"chainId": chain_id, "verifyingContract": safe},
        "message": tx.to_json(),
    }


def proposal_file(plan: EvmPlan, title: str, proposal: Proposal, state: ProposalState) -> dict[str, Any]:
    """The JSON document of a proposal that was made."""
    assert state.tx is not None
    chain_id = int(plan.chain["id"])
    by_id = {action.id: action for action in plan.actions}
    actions = [by_id[name] for name in proposal.actions]
    return {
        "version": "1.0",
        "chainId": str(chain_id),
        "createdAt": int(datetime.fromisoformat(state.made_at).timestamp() * 1000),
        "meta": {
            "name": title,
            "description": "; ".join(action.title for action in actions),
            "txBuilderVersion": "1.16.5",
            "createdFromSafeAddress": proposal.safe,
            "createdFromOwnerAddress": "",
        },
        "transactions": [_transaction(action) for action in actions],
        "ship": {
            "schema": 1,
            "kind": "contract-ship/proposal",
            "proposal": proposal.id,
            "safe": proposal.safe,
            "safeVersion": proposal.version,
            "safeTxHash": state.hash,
            "nonce": state.tx.nonce,
            "operation": state.tx.operation,
            "threshold": proposal.threshold,
            "owners": list(proposal.owners),
            "typedData": typed_data(chain_id, proposal.safe, state.tx),
            "signatures": _signatures(state, state.hash),
            "nested": [
                {
                    "safe": nested.safe,
                    "safeTxHash": nested.hash,
                    "typedData": typed_data(chain_id, nested.safe, nested.tx),
                    "signatures": _signatures(state, nested.hash),
                }
                for nested in state.nested
            ],
        },
    }


def _transaction(action: Action) -> dict[str, Any]:
    return {
        "to": action.to,
        "value": str(action.value_wei),
        "data": "0x" + action.data.hex(),
        "contractMethod": None,
        "contractInputsValues": None,
    }


def _signatures(state: ProposalState, about: str) -> list[dict[str, str]]:
    return [{"owner": owner, "signature": data} for owner, data in sorted(state.signed_by(about).items())]
