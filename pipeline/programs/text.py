"""A plan for Solana as people read it: every unit, every action, and what it may cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chains.solana.release import SolanaAction, SolanaPlan
from pipeline.programs.plan import ProgramPlan

__all__ = ["render_program_plan", "sol"]

_MARKS = {"create": "+", "upgrade": "↑", "call": "→", "unchanged": " ", "skip": " ", "move": "⇄", "close": "-"}


def sol(lamports: int) -> str:
    """Lamports as SOL, exact, without zeros at the end."""
    sign, rest = ("-", -lamports) if lamports < 0 else ("", lamports)
    whole, part = divmod(rest, 10**9)
    digits = f"{part:09d}".rstrip("0")
    return f"{sign}{whole:,}{'.' + digits if digits else ''} SOL"


def render_program_plan(plan: ProgramPlan) -> str:
    """Plain text, the same on a terminal, in a log and in a pull request."""
    body = plan.body
    lines = [
        f"{plan.project} {plan.version} → {plan.target}: {body.chain['name']} (genesis {body.chain['genesis_hash'][:12]}…)",
        f"  plan    {plan.digest}",
        f"  bundle  {plan.bundle}",
        f"  commit  {plan.commit or 'none'}{' + uncommitted changes' if plan.dirty else ''}",
        *([f"  from    {plan.promoted_from}, promoted: its very bytes"] if plan.promoted_from else []),
        f"  signer  {body.deployer}",
        *([f"  payer   {body.payer}"] if body.payer != body.deployer else []),
        *([""] if body.units or plan.warnings else []),
    ]
    width = max((len(u.name) for u in body.units), default=0)
    for unit in body.units:
        place = str(unit.after.get("address") or "")
        why = f"  {unit.reason}" if unit.reason else ""
        lines.append(f"  {_MARKS[unit.change]} {unit.name:<{width}}  {unit.change:<9} {place}{why}".rstrip())
    lines += [f"  ! {warning}" for warning in plan.warnings]
    if body.actions:
        count = body.estimate["transactions"]
        actions = len(body.actions)
        one = f"  {actions} action{'s' if actions != 1 else ''}, {count:,} transaction{'s' if count != 1 else ''}:"
        lines += ["", one]
        for action in body.actions:
            lines += _action(action)
        lines += ["", *_costs(body)]
    return "\n".join(lines)


def _action(action: SolanaAction) -> list[str]:
    several = f"  ({action.transactions:,} transactions)" if action.transactions > 1 else ""
    lines = [f"    {action.title}{several}"]
    details = action.details
    if "file_sha256" in details:
        lines.append(f"         sha256 {details['file_sha256']}")
    if action.kind == "call":
        lines += _accounts(details["instruction"])
    if action.kind == "authority":
        lines += [f"         from {details['from']}", f"         to   {details['to']}"]
    return lines


def _accounts(instruction: Mapping[str, Any]) -> list[str]:
    lines = [f"         program {instruction['program']}"]
    for meta in instruction["accounts"]:
        marks = "".join(mark for mark, on in (("s", meta["signer"]), ("w", meta["writable"])) if on)
        lines.append(f"         {marks:<3}     {meta['key']}")
    return lines


def _costs(body: SolanaPlan) -> list[str]:
    estimate, limits = body.estimate, body.limits
    allowed = f", allowed {sol(limits['max_lamports'])}" if limits["max_lamports"] is not None else ""
    back = estimate["borrowed_lamports"]
    returns = f", and {sol(back)} more while a buffer is there" if back else ""
    total = estimate["fee_lamports"] + estimate["rent_lamports"]
    return [
        f"  rent    {sol(estimate['rent_lamports'])}{returns}",
        f"  fees    about {sol(estimate['fee_lamports'])}, a compute unit at most {limits['price_cap_micro_lamports']:,} micro-lamports",
        f"  cost    about {sol(total)}{allowed}",
        f"  time    about {estimate['seconds']} s",
    ]
