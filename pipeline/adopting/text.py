"""An adoption for people."""

from __future__ import annotations

from pipeline.adopting.finding import Adoption
from pipeline.plan import Plan

__all__ = ["render"]


def render(adoption: Adoption, plan: Plan) -> str:
    """What is taken over, what is known of it, and what is left to ``ship deploy``."""
    lines = [
        f"{plan.project} {plan.version} → {plan.target}: {plan.body.chain['name']} (chain {plan.body.chain['id']})",
        f"  bundle  {plan.bundle}",
        "",
    ]
    width = max((len(p.unit) for p in adoption.proven), default=0)
    for proven in adoption.proven:
        lines.append(f"  = {proven.unit:<{width}}  {proven.address or 'done'}")
        if implementation := proven.effect.get("implementation"):
            lines.append(f"    {'':<{width}}  implementation {implementation}")
        lines += [f"    {'':<{width}}  note: {note}" for note in proven.notes]
    if adoption.absent:
        lines.append(f"  not found, `ship deploy` would deploy: {', '.join(adoption.absent)}")
    if adoption.open_calls:
        lines.append(
            f"  without `unless`, and no transaction that did it was named; `ship deploy` would send: "
            f"{', '.join(adoption.open_calls)}"
        )
    if adoption.unused:
        lines.append(f"  named, and no unit of ship.toml: {', '.join(adoption.unused)}")
    return "\n".join(lines)
