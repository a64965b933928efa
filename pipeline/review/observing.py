"""What a plan says it saw on the chain, asked again."""

from __future__ import annotations

from typing import Any

from chains.rpc import Request, Rpc, RpcFault
from pipeline.plan import Plan

__all__ = ["account_problems", "answer_problems"]


def answer_problems(plan: Plan, rpc: Rpc, block: int) -> list[str]:
    """The answers the plan rests on that are others at ``block``. Those that its own actions change are left out."""
    body = plan.body
    reads = [(r["to"], r["data"], r["answer"], "a condition of the plan") for r in body.observed["reads"]]
    reads += [
        (read.to, "0x" + read.data.hex(), "0x" + read.answer.hex(), f"{read.call} of {action.id}")
        for action in body.actions
        for read in action.reads
        if read.settled
    ]
    requests: list[Request] = [("eth_call", [{"to": to, "input": data}, hex(block)]) for to, data, _, _ in reads]
    problems = []
    for (to, data, said, what), answer in zip(reads, rpc.read_all(requests), strict=True):
        found = "0x" if isinstance(answer, RpcFault) else answer
        if found != said:
            problems.append(f"{what} ({to}, {data}) is {said} in the plan, {found} at block {block}")
    return problems


def account_problems(plan: Plan, rpc: Rpc) -> list[str]:
    """Nonce and balance of the signer, where they were others at the plan's block."""
    body = plan.body
    block = int(body.observed["block_number"])
    params: list[Any] = [body.deployer, hex(block)]
    answers = rpc.read_all([("eth_getTransactionCount", params), ("eth_getBalance", params)])
    said = {"nonce": int(body.observed["nonce"]), "balance": int(body.observed["balance_wei"])}
    problems = []
    for (what, value), answer in zip(said.items(), answers, strict=True):
        found = answer if isinstance(answer, RpcFault) else int(answer, 16)
        if found != value:
            problems.append(f"the signer's {what} is {value} in the plan, {found} at block {block}")
    return problems
