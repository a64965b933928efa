"""A contract behind a proxy: deployed with its initialization, upgraded from the difference."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from chains.canonical import sha256_hex
from chains.evm.abi import constructor_types
from chains.evm.actions import Change
from chains.evm.address import address_bytes, create_address
from chains.evm.artifacts import Artifact
from chains.evm.calling import authority_of, plan_call
from chains.evm.creating import create
from chains.evm.live import LiveUnit
from chains.evm.planning import Layout, LiveStateDrifted
from chains.evm.proxies import (
    PROXY_CONTRACTS,
    encode_call,
    expected_slots,
    owns_admin,
    upgrade_payload,
)
from chains.evm.units import ContractUnit, Value

__all__ = ["existing_proxy", "new_proxy", "not_drifted"]


def new_proxy(layout: Layout, unit: ContractUnit, artifact: Artifact) -> tuple[Change, str]:
    implementation, digest = _implementation(layout, unit, artifact)
    call, call_args = layout.calldata(unit.initialize, artifact.abi, unit.name) if unit.initialize else (b"", ())
    state: dict[str, Any] = {
        "proxy": unit.proxy, "source": artifact.source, "implementation": implementation,
        "implementation_init_code": digest, "implementation_source": artifact.source,
    }  # fmt: skip
    names = PROXY_CONTRACTS[unit.proxy]
    first: Value = implementation
    if unit.proxy == "beacon":
        beacon_artifact = layout.sources(names[0])
        inputs, _ = constructor_types(beacon_artifact.abi)
        beacon_args = [implementation, unit.proxy_owner][: len(inputs)]
        init, shown = layout.init_code(
            replace(unit, value_wei=0), beacon_artifact, beacon_args, f"the beacon of {unit.name}"
        )
        first = state["beacon"] = create(layout,
            unit, "beacon", beacon_artifact, init, args=shown, effect=lambda at: {"beacon": at},
            title=f"deploy the beacon of {unit.name}",
        )  # fmt: skip
    proxy_artifact = layout.sources(names[-1])
    data: list[Value] = [first, "0x" + call.hex()]
    if unit.proxy == "transparent":
        data.insert(1, unit.proxy_owner)
    init, shown = layout.init_code(unit, proxy_artifact, data, f"the proxy of {unit.name}")

    def effect(at: str) -> dict[str, Any]:
        after = {**state, "address": at, "init_code": sha256_hex(init)}
        if unit.proxy == "transparent":
            own = owns_admin(proxy_artifact.abi)
            after["admin"] = create_address(at, 1) if own else layout.address_of(unit.proxy_owner, "proxy-owner")
            layout.fresh |= {after["admin"].lower()} if own else set()
        return after

    value_wei = unit.initialize.value_wei if unit.initialize else unit.value_wei
    create(layout,
        unit, "", proxy_artifact, init, args=(*shown, *call_args), value_wei=value_wei,
        title=f"deploy {unit.name} behind its proxy" + (", initialized" if call else ""), effect=effect,
    )  # fmt: skip
    return "create", "not deployed yet"


def existing_proxy(layout: Layout, unit: ContractUnit, artifact: Artifact, before: LiveUnit) -> tuple[Change, str]:
    assert before.address
    layout.still_there(unit.name, before.address)
    not_drifted(layout, before)
    if before.implementation:
        layout.still_there(f"the implementation of {unit.name}", before.implementation)
    implementation, digest = _implementation(layout, unit, artifact)
    if digest == before.implementation_init_code:
        return "unchanged", f"live at {before.address}, implementation {implementation}"
    call, args = layout.calldata(unit.upgrade, artifact.abi, unit.name) if unit.upgrade else (b"", ())
    to, data = upgrade_payload(
        unit.proxy, proxy=before.address, admin_or_beacon=before.beacon or before.admin,
        implementation=implementation, call=call, abi=artifact.abi,
    )  # fmt: skip
    authority = authority_of(layout, unit.authority, to)
    effect = {
        "implementation": implementation, "implementation_init_code": digest, "implementation_source": artifact.source,
    }  # fmt: skip
    plan_call(layout,
        unit.name, "upgrade", to, data, title=f"upgrade {unit.name} to {implementation}", args=args, value_wei=0,
        effect=effect, authority=authority,
    )  # fmt: skip
    if unit.proxy == "beacon" and call:
        plan_call(layout,
            unit.name, "migrate", before.address, call, title=f"migrate {unit.name}", args=args, value_wei=0,
            effect={}, authority=None,
        )  # fmt: skip
    return "upgrade", f"implementation {before.implementation} → {implementation}"


def _implementation(layout: Layout, unit: ContractUnit, artifact: Artifact) -> tuple[str, str]:
    """``(address, init code digest)`` of the implementation, deployed unless an earlier run did."""
    before = layout.live.get(unit.name, LiveUnit(unit.name))
    if before.reads:
        with layout.readings.recalling(before.reads):
            recalled, _ = layout.init_code(unit, artifact, unit.args, f"the constructor of {unit.name}")
        made = before.created.get(sha256_hex(recalled))
        if made and layout.node.code(made):
            return made, sha256_hex(recalled)
    init_code, args = layout.init_code(unit, artifact, unit.args, f"the constructor of {unit.name}")
    digest = sha256_hex(init_code)
    known = before.created.get(digest)
    if known and layout.node.code(known):
        layout.readings.take()
        return known, digest
    address = create(layout,
        unit, "implementation", artifact, init_code, args=args, effect=lambda at: {},
        title=f"deploy the implementation of {unit.name}",
    )  # fmt: skip
    return address, digest


def not_drifted(layout: Layout, before: LiveUnit) -> None:
    """The proxy's raw slots still say what was recorded (nobody upgraded it behind ``ship``'s back)."""
    assert before.address
    for name, slot, address in expected_slots(before):
        found = layout.node.slot(before.address, slot)
        if found[-20:] != address_bytes(address):
            raise LiveStateDrifted(
                f"{before.name} at {before.address} has {name} 0x{found[-20:].hex()}, recorded was {address}",
                remedy="Somebody changed it outside ship. `ship status` shows the difference; settle it before "
                "deploying.",
            )
    if before.beacon and before.implementation:
        shown = layout.node.call(before.beacon, encode_call("implementation", [], []))
        if shown[-20:] != address_bytes(before.implementation):
            raise LiveStateDrifted(
                f"the beacon of {before.name} at {before.beacon} has implementation 0x{shown[-20:].hex()}, recorded was "
                f"{before.implementation}",
                remedy="Somebody changed it outside ship. Settle it before deploying.",
            )
