"""What would be possible after a plan: calls by anybody, tried on the simulated state the plan leaves behind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chains.evm.actions import Action
from chains.evm.address import create_address
from chains.evm.node import hex_bytes, quantity
from chains.evm.simulate import SimulationUnsupported, action_blocks
from chains.rpc import Rpc, RpcFault

__all__ = ["PROBER", "Probe", "Probed", "copied_to", "probe"]

PROBER = "0x000000000000000000000000000000005048495A"
"""Stands for anybody: an address without rights or code."""


@dataclass(frozen=True)
class Probe:
    """A call. ``to is None`` creates with ``data`` as init code, from ``PROBER`` with nonce ``nonce``."""

    sender: str
    to: str | None
    data: bytes
    nonce: int = 0


@dataclass(frozen=True)
class Probed:
    """``data`` is what came back: returned, or the revert's."""

    succeeded: bool
    data: bytes


def copied_to(nonce: int) -> str:
    """Where a probe's creation comes to lie."""
    return create_address(PROBER, nonce)


def probe(rpc: Rpc, actions: Sequence[Action], probes: Sequence[Probe], *, sender: str, now_s: int) -> list[Probed]:
    """Run the plan's actions, then the probes in order, each on what the ones before left. Nothing is sent.

    Raises ``SimulationUnsupported`` where the node cannot, or where the plan itself no longer runs through.
    """
    blocks, seen_s = action_blocks(actions, sender, now_s)
    for one in probes:
        seen_s += 1
        if one.to is None:
            creation = Action(
                id="copy", unit="", kind="create", title="", nonce=one.nonce, to=None, value_wei=0, data=one.data
            )
            blocks += action_blocks([creation], PROBER, seen_s)[0]
        else:
            call = {"from": one.sender, "to": one.to, "input": "0x" + one.data.hex()}
            blocks.append({"calls": [call], "blockOverrides": {"time": hex(seen_s)}})
    request: list[Any] = [{"blockStateCalls": blocks, "validation": False, "traceTransfers": False}, "latest"]
    try:
        answer = rpc.read("eth_simulateV1", request)
        results = [_probed(call) for block in answer for call in block["calls"]]
    except RpcFault as error:
        raise SimulationUnsupported(str(error)) from error
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise SimulationUnsupported("the node's answer has another form") from error
    if len(results) != len(actions) + len(probes):
        raise SimulationUnsupported("the node left calls out of its answer")
    if not all(result.succeeded for result in results[: len(actions)]):
        raise SimulationUnsupported("an action of the plan would fail now")
    return results[len(actions) :]


def _probed(result: Mapping[str, Any]) -> Probed:
    succeeded = quantity(result["status"]) == 1
    data = None if succeeded else (result.get("error") or {}).get("data")
    return Probed(succeeded, hex_bytes(data or result.get("returnData") or "0x"))
