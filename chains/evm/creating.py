"""Contracts as actions: init code deployed by nonce or salt, or adopted where it lies already."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chains.canonical import sha256_hex
from chains.errors import Refused
from chains.evm.actions import Action
from chains.evm.adopting import already_there
from chains.evm.artifacts import Artifact
from chains.evm.live import LiveUnit
from chains.evm.placing import place, require_factory, uses_createx
from chains.evm.planning import Layout
from chains.evm.units import ContractUnit

__all__ = ["AddressTakenTwice", "ImmutableChanged", "create"]


class ImmutableChanged(Refused):
    """SHIP-E06: a deployed contract that cannot change was changed in the project."""

    code = "SHIP-E06"


class AddressTakenTwice(Refused):
    """SHIP-E66: two units are to lie at one address."""

    code = "SHIP-E66"


def create(
    layout: Layout,
    unit: ContractUnit,
    suffix: str,
    artifact: Artifact,
    init_code: bytes,
    *,
    title: str,
    args: Any,
    value_wei: int = 0,
    effect: Callable[[str], dict[str, Any]],
) -> str:
    """Deploy init code (or adopt what lies at its salted address already); gives the address."""
    chain_id = layout.node.chain_id if uses_createx(unit) else 0
    where = place(
        unit, own=not suffix, init_code=init_code, deployer=layout.deployer, chain_id=chain_id, nonce=layout.nonce
    )
    before = layout.live.get(unit.name, LiveUnit(unit.name))
    if where.by_salt_alone and before.address == where.address:
        raise ImmutableChanged(
            f"{unit.name} has the address of its create3 salt already, {where.address}: new code cannot go there",
            remedy="Give the new instance another `create3` salt, or put the contract behind a proxy.",
        )
    merged = {"created": {sha256_hex(init_code): where.address}, **effect(where.address)}
    action = Action(
        id=f"{unit.name}.{suffix}" if suffix else unit.name, unit=unit.name, kind=where.kind, title=title, nonce=0,
        to=where.to, value_wei=value_wei, data=where.data, address=where.address, source=artifact.source, args=args,
        effect=merged, needs_code=(where.to,) if where.to else (), made_by=where.made_by,
    )  # fmt: skip
    layout.live[unit.name] = before.merge(merged)
    if where.to:
        require_factory(layout.node, where.to)
        if where.address.lower() in layout.fresh:  # an earlier unit of this plan goes there
            if where.by_salt_alone:
                raise AddressTakenTwice(
                    f"{action.id} has the create3 salt of another unit: both would lie at {where.address}",
                    remedy="Give each unit a salt of its own.",
                )
            layout.readings.take()
            return where.address
        if already_there(layout.node, artifact, action):
            layout.readings.take()
            return where.address
    layout.add(action)
    return where.address
