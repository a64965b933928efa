"""Calls as actions: by the deployer, or through the Safe or timelock that has the right."""

from __future__ import annotations

from typing import Any

from chains.evm.abi import AbiType, decode
from chains.evm.actions import Action
from chains.evm.address import checksum
from chains.evm.authority import AuthorityUnusable
from chains.evm.handover import Heir, handed_over
from chains.evm.live import LiveUnit
from chains.evm.planning import Layout
from chains.evm.proxies import encode_call
from chains.evm.units import Value
from chains.rpc import RpcFault

__all__ = ["authority_of", "hand_over", "plan_call"]


def plan_call(
    layout: Layout,
    unit: str,
    suffix: str,
    to: str,
    data: bytes,
    *,
    title: str,
    args: Any,
    value_wei: int,
    effect: dict[str, Any],
    authority: tuple[str, ...] | None,
) -> None:
    """A call, direct or through an authority (``chains.evm.authority``)."""
    name = f"{unit}.{suffix}" if suffix else unit
    layout.live[unit] = layout.live.get(unit, LiveUnit(unit)).merge(effect)
    base = Action(
        id=name, unit=unit, kind="call", title=title, nonce=0, to=to, value_wei=value_wei, data=data, args=args,
        effect=effect, needs_code=(to,),
    )  # fmt: skip
    actions = [base] if authority is None else layout.authorities.through(base, authority)
    if any(a.ready is not None or a.kind == "proposal" for a in actions):
        reads = layout.readings.take()  # what the payload rests on, before another action takes it for its own
        layout.waiting.hold([layout.resting(action, reads) for action in actions])
        return
    layout.add_due(unit)
    for action in actions:
        layout.add(action)


def authority_of(layout: Layout, value: Value | None, to: str | None = None) -> tuple[str, ...] | None:
    """The path an action takes. Without one: the owner of ``to``, where that is a Safe or a timelock."""
    if value is None:
        owner = _owner(layout, to) if to is not None else None
        return (owner,) if owner is not None and layout.authorities.known(owner) else None
    values = value if isinstance(value, tuple) else (value,)
    path = tuple(layout.address_of(v, "authority") for v in values)
    if not path or path[0].lower() in layout.fresh:
        raise AuthorityUnusable(
            f"the authority {path[0] if path else '[]'} is itself deployed by this plan, and cannot act in it",
            remedy="Leave `authority` out until it has the right, or order the call before it gets it.",
        )
    return path


def _owner(layout: Layout, contract: str) -> str | None:
    """``owner()`` of a live contract, unless it has none or it is the deployer."""
    try:
        answer = layout.node.call(contract, encode_call("owner", [], []))
        owner = str(decode([AbiType("", "address")], answer)[0])
    except (RpcFault, ValueError):
        return None
    return owner if owner != checksum(layout.deployer) else None


def hand_over(layout: Layout, heir: Heir) -> None:
    """The deployer's rights, given away. What the heir has to accept goes through it, where that can be planned."""
    for action, for_heir in handed_over(heir, layout.deployer, layout.abi_at):
        if not for_heir:
            layout.add(action)
        elif heir.to.lower() not in layout.fresh and layout.authorities.known(heir.to):
            layout.waiting.hold(layout.authorities.through(action, (heir.to,)))
    layout.add_due(None)
