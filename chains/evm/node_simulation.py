"""A scene in one ``eth_simulateV1`` call, one simulated block an action. Source: execution-apis, ``eth_simulateV1``.

Creations run as calls to the sender with a code override that CREATEs its input, since not every node takes a call
without ``to``; addresses come out exact, gas within 0.1 %.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chains.evm.actions import Action
from chains.evm.gas import creation_call_gas
from chains.evm.node import Head
from chains.evm.scene import Outcome, Probe, Ran, Scene, SimulationUnsupported
from chains.rpc import Rpc, RpcFault

__all__ = ["on_node"]

_CREATE_INPUT = "0x365f5f37365f34f0806013573d5f5f3e3d5ffd5b5f5260205ff3"
"""Copies its input to memory, CREATEs it with the call's value, returns the address or reverts with the reason."""
_AROUND = 15
"""What its opcodes before CREATE take, apart from the copying."""
_CREATE_CALLER = "0x00000000000000000000000000000000000000aa"
_ENOUGH_WEI = hex(10**30)
_PROBE = "0x00000000000000000000000000000000000000ab"
_PROBE_CODE = "0x5f353b5f5260205ff3"
"""Returns EXTCODESIZE of the address it is given."""


def on_node(rpc: Rpc, scene: Scene, head: Head) -> Ran:
    """On the state of the block ``head``. Raises ``SimulationUnsupported``."""
    blocks, seen_s = _actions(scene, head.timestamp_s)
    looks = [{"from": scene.sender, "to": to, "input": "0x" + data.hex()} for to, data in scene.reads]
    looks += [{"from": scene.sender, "to": _PROBE, "input": "0x" + _word(address)} for address in scene.codes]
    if looks:
        overrides = {scene.sender: {"code": "0x"}, **({_PROBE: {"code": _PROBE_CODE}} if scene.codes else {})}
        seen_s += 1
        blocks.append({"calls": looks, "stateOverrides": overrides, "blockOverrides": {"time": hex(seen_s)}})
    for probe in scene.probes:
        seen_s += 1
        blocks.append(_probe(probe, seen_s))
    if not blocks:
        return Ran("eth_simulateV1", ())
    request: list[Any] = [{"blockStateCalls": blocks, "validation": False, "traceTransfers": False}, hex(head.number)]
    try:
        answer = rpc.read("eth_simulateV1", request)
        results = [Outcome.from_rpc(call) for block in answer for call in block["calls"]]
    except RpcFault as error:
        raise SimulationUnsupported(str(error)) from error
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise SimulationUnsupported("the node's answer has another form") from error
    if len(results) != len(scene.actions) + len(looks) + len(scene.probes):
        raise SimulationUnsupported("the node left calls out of its answer")
    return _sorted(scene, results)


def _sorted(scene: Scene, results: Sequence[Outcome]) -> Ran:
    after_actions = len(scene.actions)
    after_reads = after_actions + len(scene.reads)
    after_codes = after_reads + len(scene.codes)
    return Ran(
        "eth_simulateV1",
        tuple(results[:after_actions]),
        tuple(results[after_actions:after_reads]),
        tuple(any(result.returned) for result in results[after_reads:after_codes]),
        tuple(results[after_codes:]),
    )


def _actions(scene: Scene, now_s: int) -> tuple[list[dict[str, Any]], int]:
    """``(one simulated block an action, the time of the last)``; delays of timelocks pass between them."""
    blocks, seen_s = [], now_s
    for number, action in enumerate(scene.actions):
        seen_s += 1 + (action.ready.delay_s if action.ready else 0)
        limit = scene.limits[number] if scene.limits else None
        blocks.append(_block(action, scene.sender, seen_s, limit))
    return blocks, seen_s


def _block(action: Action, sender: str, seen_s: int, limit: int | None) -> dict[str, Any]:
    value = hex(action.value_wei)
    data = "0x" + action.data.hex()
    overrides: dict[str, Any] = {}
    if action.by is not None:
        call = {"from": action.by, "to": action.to, "value": value, "input": data}
    elif action.to is None:
        # The call itself takes a nonce before the code runs; with nonce 0 somebody else has to make it, so that the
        # constructor then sees another tx.origin.
        caller, nonce = (sender, action.nonce - 1) if action.nonce else (_CREATE_CALLER, 0)
        call = {"from": caller, "to": sender, "value": value, "input": data}
        overrides = {_CREATE_CALLER: {"balance": _ENOUGH_WEI}}
        overrides[sender] = {"code": _CREATE_INPUT, "nonce": hex(nonce), "balance": _ENOUGH_WEI}
        limit = creation_call_gas(action, limit, _AROUND) if limit is not None else None
    else:
        call = {"from": sender, "to": action.to, "value": value, "input": data}
        overrides = {sender: {"code": "0x", "nonce": hex(action.nonce), "balance": _ENOUGH_WEI}}
    if limit is not None:
        call["gas"] = hex(limit)
    return {"stateOverrides": overrides, "calls": [call], "blockOverrides": {"time": hex(seen_s)}}


def _probe(probe: Probe, seen_s: int) -> dict[str, Any]:
    if probe.to is None:
        creation = Action(
            id="copy", unit="", kind="create", title="", nonce=probe.nonce, to=None, value_wei=0, data=probe.data
        )
        return _block(creation, probe.sender, seen_s, None)
    call = {"from": probe.sender, "to": probe.to, "input": "0x" + probe.data.hex()}
    return {"calls": [call], "blockOverrides": {"time": hex(seen_s)}}


def _word(address: str) -> str:
    return address[2:].rjust(64, "0")
