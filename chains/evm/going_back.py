"""The calls of a rollback: proxies moved back to implementations that lie on chain already, and calls that stand in for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chains.errors import Refused
from chains.evm.actions import Change, PlannedUnit
from chains.evm.artifacts import Artifact
from chains.evm.authority import Authorities
from chains.evm.call_units import TargetMissing, holds
from chains.evm.calling import authority_of, plan_call
from chains.evm.live import LiveUnit
from chains.evm.node import Node
from chains.evm.planning import Layout
from chains.evm.proposing import Waiting
from chains.evm.proxy_units import not_drifted
from chains.evm.simulator import Simulator
from chains.evm.units import EvmUnits, GoBack, Redirect, Ref

__all__ = ["go_back", "redirect", "resolved_redirects"]


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
    call, args = _resolved(layout, unit, effect, _abi(layout, unit))
    if not layout.has_code(call.to):
        raise TargetMissing(
            f"{where} goes to {call.to}, where there is no code: the call would succeed and do nothing",
            remedy="Correct `to`.",
        )
    if unit.unless is not None and holds(layout, unit.unless, call.to, None, _owner(unit, call.to)):
        return
    plan_call(layout,
        call.unit, f"redirect.{unit.name}", call.to, call.data, title=call.title, args=args,
        value_wei=unit.call.value_wei, effect=dict(effect), authority=authority_of(layout, unit.authority, call.to),
    )  # fmt: skip
    _planned(layout, call.unit, f"by {where}")


def resolved_redirects(
    redirects: Sequence[tuple[Redirect, Mapping[str, Any]]], live: Mapping[str, LiveUnit], node: Node, deployer: str
) -> list[GoBack]:
    """The calls of ``redirects`` with their bytes, in a state that is live or will be. Reads only, plans nothing."""
    layout = Layout(
        EvmUnits(), _no_sources, node, deployer, 0, dict(live), Authorities(node, deployer), Waiting({}),
        Simulator(node.rpc, deployer),
    )  # fmt: skip
    return [_resolved(layout, unit, effect, None)[0] for unit, effect in redirects]


def _resolved(
    layout: Layout, unit: Redirect, effect: Mapping[str, Any], abi: Sequence[Mapping[str, Any]] | None
) -> tuple[GoBack, Any]:
    where = f"[rollback.redirect.{unit.name}]"
    name = unit.restores or _unit_of(layout, unit)
    layout.live[name] = layout.live.get(name, LiveUnit(name)).merge(effect)
    to = layout.address_of(unit.to, f"{where} to")
    owner = _owner(unit, to)
    data, args = layout.calldata(unit.call, abi, owner)
    title = f"call {owner}.{unit.call.signature.partition('(')[0]}"
    return GoBack(name, to, data, title, dict(effect), unit.authority, (to,), unit.call.value_wei), args


def _abi(layout: Layout, unit: Redirect) -> Sequence[Mapping[str, Any]] | None:
    """Of the contract that is called, for the names of its arguments; unknown where its build is not at hand."""
    live = layout.live.get(unit.to.unit) if isinstance(unit.to, Ref) else None
    source = (live.implementation_source or live.source) if live else None
    if source is None:
        return None
    try:
        return layout.sources(source).abi
    except Refused:
        return None


def _no_sources(source: str) -> Artifact:
    raise AssertionError(f"a redirect creates nothing: {source}")


def _owner(unit: Redirect, to: str) -> str:
    return unit.to.unit if isinstance(unit.to, Ref) and unit.to.unit else to


def _unit_of(layout: Layout, unit: Redirect) -> str:
    """Whose action the call is: the contract's it goes to, where that is one of the project's."""
    if isinstance(unit.to, Ref) and unit.to.unit in layout.live:
        return unit.to.unit
    return unit.name


def _planned(layout: Layout, name: str, reason: str) -> None:
    layout.planned = [planned for planned in layout.planned if planned.name != name]
    change: Change = "upgrade" if reason.startswith("implementation") else "call"
    layout.planned.append(PlannedUnit(name, change, reason, layout.live[name].to_json()))
