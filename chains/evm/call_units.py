"""A call as a unit: made once, or while its condition does not hold."""

from __future__ import annotations

from typing import Any

from chains.canonical import sha256_hex
from chains.errors import Refused
from chains.evm.abi import encode, find_function, selector
from chains.evm.actions import PlannedUnit
from chains.evm.calling import authority_of, plan_call
from chains.evm.live import LiveUnit
from chains.evm.planning import Layout
from chains.evm.units import CallUnit, Ref, Unless
from chains.rpc import RpcFault

__all__ = ["TargetMissing", "call_digest", "holds", "lay_out_call"]


class TargetMissing(Refused):
    """SHIP-E08: a call or check goes to an address without code."""

    code = "SHIP-E08"


def lay_out_call(layout: Layout, unit: CallUnit) -> None:
    layout.before_reading(unit)
    to = layout.address_of(unit.to, f"[calls.{unit.name}] to")
    abi = layout.abi_at(to)
    owner = unit.to.unit if isinstance(unit.to, Ref) and unit.to.unit else to
    data, args = layout.calldata(unit.call, abi, owner)
    if not layout.has_code(to):
        raise TargetMissing(
            f"[calls.{unit.name}] goes to {to}, where there is no code: the call would succeed and do nothing",
            remedy="Correct `to`, or deploy the contract first.",
        )
    authority = authority_of(layout, unit.authority)
    digest = call_digest(to, unit.call.value_wei, data)
    before = layout.live.get(unit.name)
    if unit.unless is not None:
        with layout.readings.aside():
            done = holds(layout, unit.unless, to, abi, owner)
    elif before is not None and before.reads:
        with layout.readings.recalling(before.reads):
            recalled, _ = layout.calldata(unit.call, abi, owner)
        done = before.done == call_digest(to, unit.call.value_wei, recalled)
    else:
        done = before is not None and before.done == digest
    if done:
        layout.live[unit.name] = before or LiveUnit(unit.name)
        reason = f"`{unit.unless.signature}` already holds" if unit.unless else "done before"
        layout.planned.append(PlannedUnit(unit.name, "skip", reason, layout.live[unit.name].to_json()))
        return
    title = f"call {owner}.{unit.call.signature.partition('(')[0]}"
    plan_call(layout,
        unit.name, "", to, data, title=title, args=args, value_wei=unit.call.value_wei,
        effect={"done": digest}, authority=authority,
    )  # fmt: skip
    layout.planned.append(PlannedUnit(unit.name, "call", "not done yet", layout.live[unit.name].to_json()))


def holds(layout: Layout, unless: Unless, to: str, abi: Any, owner: str) -> bool:
    """Whether the condition is true on chain now. A contract this plan creates answers nothing yet."""
    function = find_function(unless.signature, abi, owner)
    values = layout.readings.fill_all(function.inputs, unless.args)
    data = selector(function) + encode(function.inputs, values, layout.resolve, f"{owner}.{function.name}")
    wanted = layout.readings.fill(unless.equals, function.outputs[0] if function.outputs else None)
    expected = encode(function.outputs, (wanted,), layout.resolve, f"{owner}.{function.name}, equals")
    if to.lower() in layout.fresh:
        return False
    try:
        answer = layout.node.call(to, data)
    except RpcFault:
        answer = b""
    layout.reads.append({"to": to, "data": "0x" + data.hex(), "answer": "0x" + answer.hex()})
    return answer == expected


def call_digest(to: str, value_wei: int, data: bytes) -> str:
    """Names a call that was made: recipient, value and calldata."""
    return sha256_hex(f"{to.lower()}:{value_wei}:".encode() + data)
