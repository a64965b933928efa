"""The calls of a rollback: proxies moved back to implementations that lie on chain already, and calls that stand in for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chains.evm.actions import Change, PlannedUnit
from chains.evm.call_units import TargetMissing, holds
from chains.evm.calling import authority_of, plan_call
from chains.evm.live import LiveUnit
from chains.evm.planning import Layout
from chains.evm.proxy_units import not_drifted
from chains.evm.units import GoBack, Redirect, Ref

__all__ = ["go_back", "redirect"]


def go_back(layout: Layout, back: GoBack) -> None:
    """Raises ``LiveStateDrifted`` where the proxy is not what was recorded, or what it goes back to is gone."""
    before = layout.live[back.unit]
    for address in (*back.needs_code, str(before.address)):
        layout.still_there(back.unit, address)
    not_drifted(layout, before)
    plan_call(layout,
        back.unit, "rollback", back.to, back.data, title=back.title, args=(), value_wei=0, effect=dict(back.effect),
        authority=authority_of(layout, back.authority, back.to),
    )  # fmt: skip
    _planned(layout, back.unit, f"implementation {before.implementation} → {back.effect['implementation']}")


def redirect(layout: Layout, unit: Redirect, effect: Mapping[str, Any]) -> None:
    """``${contracts.NAME}`` stands for the earlier contract of what is restored: that is what the call points at again.

    Unlike a call unit it is made whenever a rollback comes to it: that it was made in another rollback says nothing.
    """
    where = f"[rollback.redirect.{unit.name}]"
    name = unit.restores or _unit_of(layout, unit)
    layout.live[name] = layout.live.get(name, LiveUnit(name)).merge(effect)
    to = layout.address_of(unit.to, f"{where} to")
    owner = unit.to.unit if isinstance(unit.to, Ref) and unit.to.unit else to
    if not layout.has_code(to):
        raise TargetMissing(
            f"{where} goes to {to}, where there is no code: the call would succeed and do nothing",
            remedy="Correct `to`.",
        )
    data, args = layout.calldata(unit.call, None, owner)
    if unit.unless is not None and holds(layout, unit.unless, to, None, owner):
        return
    function = unit.call.signature.partition("(")[0]
    plan_call(layout,
        name, f"redirect.{unit.name}", to, data, title=f"call {owner}.{function}", args=args,
        value_wei=unit.call.value_wei, effect=dict(effect), authority=authority_of(layout, unit.authority, to),
    )  # fmt: skip
    _planned(layout, name, f"by [rollback.redirect.{unit.name}]")


def _unit_of(layout: Layout, unit: Redirect) -> str:
    """Whose action the call is: the contract's it goes to, where that is one of the project's."""
    if isinstance(unit.to, Ref) and unit.to.unit in layout.live:
        return unit.to.unit
    return unit.name


def _planned(layout: Layout, name: str, reason: str) -> None:
    layout.planned = [planned for planned in layout.planned if planned.name != name]
    change: Change = "upgrade" if reason.startswith("implementation") else "call"
    layout.planned.append(PlannedUnit(name, change, reason, layout.live[name].to_json()))
