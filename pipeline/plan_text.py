"""The plan for people: what happens to each unit, every transaction decoded, and what it may cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chains.evm.actions import Action, EvmPlan
from chains.evm.fees import ether, gwei
from pipeline.plan import Plan

__all__ = ["render_plan"]

_MARKS = {"create": "+", "replace": "±", "upgrade": "↑", "call": "→", "adopt": "=", "unchanged": " ", "skip": " "}
_LONG = 66


def render_plan(plan: Plan, currency: str) -> str:
    """Plain text, the same on a terminal, in a log and in a pull request."""
    body = plan.body
    lines = [
        f"{plan.project} {plan.version} → {plan.target}: {body.chain['name']} (chain {body.chain['id']})",
        f"  plan    {plan.digest}",
        f"  bundle  {plan.bundle}",
        f"  commit  {plan.commit or 'none'}{' + uncommitted changes' if plan.dirty else ''}",
        *([f"  from    {plan.promoted_from}, promoted: its very bytes"] if plan.promoted_from else []),
        f"  signer  {body.deployer}, nonce {body.observed['nonce']}",
        "",
    ]
    width = max((len(u.name) for u in body.units), default=0)
    for unit in body.units:
        place = unit.after.get("address") or ""
        lines.append(f"  {_MARKS[unit.change]} {unit.name:<{width}}  {unit.change:<9} {place or unit.reason}")
    lines += [f"  ! {warning}" for warning in plan.warnings]
    if body.actions:
        lines += ["", *_transactions(body), *_proposals(body), "", *_costs(body, currency)]
    return "\n".join(lines)


def _transactions(body: EvmPlan) -> list[str]:
    own = sum(action.kind != "proposal" for action in body.actions)
    proposed = f" and {len(body.actions) - own} calls by Safes" if own != len(body.actions) else ""
    lines = [f"  {own} transactions{proposed}, simulated in this order:"]
    for action in body.actions:
        number = "Safe" if action.kind == "proposal" else action.nonce
        lines.append(f"  {number:>5}  {action.title}  ({action.gas_estimate:,} gas)")
        target = action.address or action.to
        lines.append(f"         {'at' if action.address else 'to'} {target}{_value(action)}")
        lines += [f"         {a['name'] or a['type']} = {_short(a['value'])}" for a in action.args]
        for reading in action.reads:
            when = "" if reading.settled else ", once the transactions before it are mined"
            lines.append(f"         rests on {reading.call} of {reading.to}{when}")
        if action.ready:
            lines.append(f"         not before its delay of {action.ready.delay_s} s is over")
    return lines


def _proposals(body: EvmPlan) -> list[str]:
    lines = []
    for proposal in body.proposals:
        batch = f", a batch of {len(proposal.actions)}" if len(proposal.actions) > 1 else ""
        agreeing = f"nonce {proposal.tx.nonce}, {proposal.threshold} of {len(proposal.owners)} owners"
        lines += [
            "",
            f"  proposal {proposal.id} to the Safe {proposal.safe}{batch}: {agreeing}",
            f"         safeTxHash {proposal.hash}",
        ]
    return lines


def _value(action: Action) -> str:
    return f", with {ether(action.value_wei)}" if action.value_wei else ""


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= _LONG else f"{text[:_LONG]}… ({len(text)} characters)"


def _costs(body: EvmPlan, currency: str) -> list[str]:
    estimate, limits = body.estimate, body.limits
    cap = limits["max_cost_wei"]
    if "base_fee_wei" not in estimate:
        return ["  cost    none here: who executes a proposal pays for it"]
    gas_limit = sum(a.gas_limit for a in body.actions if a.kind != "proposal")
    worst = f"at most {ether(int(estimate['worst_cost_wei']), currency)}"
    data_fee = []
    if "l1_gas" in estimate:
        fee = ether(int(estimate["l1_fee_wei"]), currency)
        data_fee = [
            f"  L1      about {fee} for the bytes on the parent chain ({estimate['l1_gas']:,} gas of the above)"
        ]
    elif "l1_fee_wei" in estimate:
        fee, most = (ether(int(estimate[key]), currency) for key in ("l1_fee_wei", "worst_l1_fee_wei"))
        operator = ether(int(estimate["operator_fee_wei"]), currency) if "operator_fee_wei" in estimate else None
        beside = f", and {operator} to the operator of this chain" if operator else ""
        data_fee = [f"  L1      about {fee} for the bytes on the parent chain{beside}, at most {most}"]
    allowed = f", allowed {ether(int(cap), currency)}" if cap else ""
    return [
        f"  gas     {estimate['gas']:,}, limit {gas_limit:,} (+{limits['gas_margin_bps'] / 100:g} %){_tried(estimate)}",
        f"  fees    base {gwei(int(estimate['base_fee_wei']))}, at most {gwei(int(estimate['max_fee_per_gas_wei']))}",
        *data_fee,
        f"  cost    about {ether(int(estimate['cost_wei']), currency)}, {worst}{allowed}",
    ]


def _tried(estimate: Mapping[str, Any]) -> str:
    """Whether the limits were themselves tried, and how."""
    way = estimate.get("simulated_by")
    if way is None:
        return ""
    return f", each limit tried by {way}" if estimate.get("limits_tried") else f", simulated by {way}, no limit tried"
