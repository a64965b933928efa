"""Post-deploy checks: what is read, and the encoding of what must come back."""

from __future__ import annotations

from chains.evm.abi import encode, find_function, selector
from chains.evm.actions import PlannedCheck
from chains.evm.call_units import TargetMissing
from chains.evm.planning import Layout
from chains.evm.units import Check, Ref

__all__ = ["planned_check"]


def planned_check(layout: Layout, check: Check) -> PlannedCheck:
    to = layout.address_of(check.on, f"[checks.{check.name}] on")
    owner = check.on.unit if isinstance(check.on, Ref) and check.on.unit else to
    function = find_function(check.signature, layout.abi_at(to), owner)
    where = f"[checks.{check.name}]"
    values = layout.readings.fill_all(function.inputs, check.args)
    data = selector(function) + encode(function.inputs, values, layout.resolve, where)
    equals = layout.readings.fill(check.equals, function.outputs[0] if len(function.outputs) == 1 else None)
    expected_value = equals if len(function.outputs) > 1 and isinstance(equals, tuple) else (equals,)
    expected = encode(function.outputs, expected_value, layout.resolve, f"{where} equals")
    if not layout.has_code(to):
        raise TargetMissing(f"{where} reads {to}, where there is no code", remedy="Correct `on`.")
    return PlannedCheck(check.name, to, function.signature, data, tuple(o.type for o in function.outputs), expected)
