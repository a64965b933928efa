"""A contract as a unit: new, unchanged, replaced, or behind a proxy."""

from __future__ import annotations

from chains.canonical import sha256_hex
from chains.evm.actions import Change, PlannedUnit
from chains.evm.artifacts import Artifact
from chains.evm.creating import ImmutableChanged, create
from chains.evm.live import LiveUnit
from chains.evm.planning import Layout
from chains.evm.proxy_units import existing_proxy, new_proxy
from chains.evm.units import ContractUnit
from chains.evm.verify.bytecode import runtime_digest

__all__ = ["lay_out_contract"]


def lay_out_contract(layout: Layout, unit: ContractUnit) -> None:
    artifact = layout.sources(unit.source)
    before = layout.live.get(unit.name)
    layout.before_reading(unit)
    if before and before.proxy != unit.proxy and before.address:
        raise ImmutableChanged(
            f'{unit.name} is deployed with proxy = "{before.proxy}", the project now says "{unit.proxy}"',
            remedy="A deployed proxy cannot change its kind. Give the new system a unit of its own.",
        )
    start = len(layout.actions)
    if unit.proxy == "none":
        change, reason = _plain(layout, unit, artifact, before)
    elif before is None or before.address is None:
        change, reason = new_proxy(layout, unit, artifact)
    else:
        change, reason = existing_proxy(layout, unit, artifact, before)
    if change in {"create", "replace"} and len(layout.actions) == start:
        change, reason = "adopt", "the same code is already at the address of its salt"
    layout.planned.append(PlannedUnit(unit.name, change, reason, layout.live[unit.name].to_json()))
    live = layout.live[unit.name]
    for address in (live.address, live.implementation):
        if address:
            layout.abis[address.lower()] = artifact.abi


def _plain(layout: Layout, unit: ContractUnit, artifact: Artifact, before: LiveUnit | None) -> tuple[Change, str]:
    if before and before.address:
        layout.still_there(unit.name, before.address)
        with layout.readings.recalling(before.reads):
            known, _ = layout.init_code(unit, artifact, unit.args, f"the constructor of {unit.name}")
        if (before.init_code or before.declared_init_code) == sha256_hex(known):
            return "unchanged", f"live at {before.address}"
    init_code, args = layout.init_code(unit, artifact, unit.args, f"the constructor of {unit.name}")
    digest = sha256_hex(init_code)
    if before and before.address and not unit.replace and artifact.kind != "library":
        what = "its code or arguments did"
        if before.runtime_code == runtime_digest(artifact, init_code):
            what = "its arguments are not those it was adopted with (which it has, the chain does not show)"
        raise ImmutableChanged(
            f"{unit.name} is deployed at {before.address} and cannot change, but {what}",
            remedy=f"Undo the change, or set `replace = true` under [contracts.{unit.name}] to deploy a new one "
            "beside it; everything that refers to it then changes too.",
        )
    create(layout,
        unit, "", artifact, init_code, title=f"deploy {unit.name}", args=args, value_wei=unit.value_wei,
        effect=lambda at: {"address": at, "source": artifact.source, "init_code": digest, "proxy": "none"},
    )  # fmt: skip
    if before and before.address:
        return "replace", f"a new instance; the old one stays at {before.address}"
    return "create", "not deployed yet"
