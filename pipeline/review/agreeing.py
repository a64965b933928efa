"""The plan's own words held against what its bytes say: two renderers that share no code must agree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from chains.errors import Refused
from chains.evm.address import address_bytes
from chains.evm.safe.multisend import MULTISEND_CALL_ONLY
from chains.evm.transaction import Fees, UnsignedTransaction
from pipeline.plan import Plan
from pipeline.review.contracts import Codes
from pipeline.review.decoding import Decoder
from pipeline.review.unsigned import Undecodable

__all__ = ["RenderersDisagree", "disagreements", "transactions_document"]


class RenderersDisagree(Refused):
    """SHIP-Y03: a plan says something else of its transactions than their bytes do."""

    code = "SHIP-Y03"


def transactions_document(plan: Plan, codes: Codes) -> dict[str, Any]:
    """Every transaction and Safe call of the plan, decoded from unsigned bytes. Fees are open: they are zero in them.

    Raises ``RenderersDisagree`` where the bytes are none.
    """
    body = plan.body
    chain_id = int(body.chain["id"])
    decoder = Decoder(codes.artifacts, address_bytes(body.deployer))
    legacy = body.estimate.get("max_priority_fee_per_gas_wei", 0) is None
    shown = []
    for action in body.actions:
        if action.kind == "proposal":
            continue
        fees = Fees(0, None if legacy else 0)
        unsigned = UnsignedTransaction(
            chain_id, action.nonce, action.to, action.value_wei, action.data, action.gas_limit, fees
        )
        try:
            shown.append({"action": action.id, **decoder.transaction(unsigned.payload())})
        except Undecodable as error:
            raise RenderersDisagree(f"{action.id}: {error}", remedy="Do not sign it. Make the plan again.") from error
    proposals = [
        {
            "proposal": p.id,
            "safe": p.safe,
            "nonce": p.tx.nonce,
            "operation": {0: "call", 1: "delegatecall"}.get(p.tx.operation, str(p.tx.operation)),
            **decoder.inner(address_bytes(p.tx.to), p.tx.value_wei, p.tx.data),
        }
        for p in body.proposals
    ]
    return {
        "schema": 1,
        "kind": "contract-ship/review-transactions",
        "chain_id": chain_id,
        "sender": body.deployer,
        "transactions": shown,
        "proposals": proposals,
    }


def disagreements(plan: Plan, document: Mapping[str, Any], signing: Mapping[str, Any]) -> list[str]:
    """What the plan says that its bytes do not: fields, addresses, contracts, arguments, hashes."""
    problems = []
    decoded = {shown["action"]: shown for shown in document["transactions"]}
    for action in plan.body.actions:
        shown = decoded.get(action.id)
        if shown is None:
            continue
        said = {
            "nonce": (action.nonce, shown["nonce"]),
            "to": (action.to, shown["to"]),
            "value_wei": (str(action.value_wei), shown["value_wei"]),
            "payload_sha256": (action.payload_digest, shown["payload_sha256"]),
            "kind": (action.kind, shown["kind"]),
        }
        if action.kind != "call":
            said["address"] = action.address, shown["address"]
            if action.source is not None:
                said["source"] = action.source, shown["contract"]
        for what, (plans, bytes_) in said.items():
            if plans != bytes_:
                problems.append(f"{action.id}: {what} is {plans} in the plan, {bytes_} in its bytes")
        problems += _arguments(action.id, action.args, list(_flat(shown["arguments"])))
    for shown, hashes in zip(document["proposals"], signing["safe"], strict=True):
        problems += _proposal(plan, shown, hashes)
    return problems


def _proposal(plan: Plan, shown: Mapping[str, Any], hashes: Mapping[str, Any]) -> list[str]:
    """A Safe's transaction stands for exactly the calls of its actions, and delegates to nothing but a known batch."""
    proposal = next(p for p in plan.body.proposals if p.id == shown["proposal"])
    problems = []
    if proposal.hash != hashes["safe_tx_hash"]:
        problems.append(
            f"{proposal.id}: safeTxHash is {proposal.hash} in the plan, {hashes['safe_tx_hash']} by its fields"
        )
    calls = [shown]
    if shown["operation"] != "call":
        if shown["operation"] != "delegatecall" or shown["to"] not in MULTISEND_CALL_ONLY:
            return [*problems, f"{proposal.id}: a {shown['operation']} to {shown['to']}, which is no MultiSendCallOnly"]
        calls = shown["arguments"][0].get("calls", []) if shown["arguments"] else []
    actions = {action.id: action for action in plan.body.actions}
    said = [actions[name] for name in proposal.actions if name in actions]
    if [a.payload_digest for a in said] != [c["payload_sha256"] for c in calls] or len(said) != len(proposal.actions):
        return [*problems, f"{proposal.id}: its bytes make other calls than {', '.join(proposal.actions)}"]
    for action, call in zip(said, calls, strict=True):
        problems += _arguments(action.id, action.args, list(_flat(call["arguments"])))
    return problems


def _flat(arguments: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, Any]]:
    """All arguments, those inside nested calldata too, in order."""
    for argument in arguments:
        yield argument["type"], argument["value"]
        for call in argument.get("calls", ()):
            yield from _flat(call["arguments"])


def _arguments(name: str, said: Sequence[Mapping[str, Any]], decoded: Sequence[tuple[str, Any]]) -> list[str]:
    """The plan's arguments must be among the decoded ones, in their order."""
    rest = iter(decoded)
    for argument in said:
        if (argument["type"], argument["value"]) not in rest:
            shown = argument["name"] or argument["type"]
            return [f"{name}: the plan says {shown} = {argument['value']}, which is not in its bytes"]
    return []
