"""The whole batch against the live state before a signature exists: reverts with their reason, gas, check answers.

One ``eth_simulateV1`` call, one simulated block an action. Creations run as calls to the sender with a code override
that CREATEs its input, since not every node takes a call without ``to``; addresses come out exact, gas within 0.1 %.
Nodes without the method are served by an anvil fork (``fork.py``). Source: execution-apis, ``eth_simulateV1``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from chains.errors import Refused
from chains.evm.abi import AbiType, decode, explain_revert, jsonable
from chains.evm.actions import Action, PlannedCheck
from chains.evm.node import hex_bytes, quantity
from chains.rpc import Rpc, RpcDown, RpcFault

__all__ = [
    "CheckWouldFail",
    "Outcome",
    "ReadFailed",
    "Simulated",
    "SimulationUnsupported",
    "WouldRevert",
    "action_blocks",
    "check_answers",
    "filled_in",
    "intrinsic_gas",
    "preview",
    "read_after",
    "simulate",
]

_CREATE_INPUT = "0x365f5f37365f34f0806013573d5f5f3e3d5ffd5b5f5260205ff3"
"""Copies its input to memory, CREATEs it with the call's value, returns the address or reverts with the reason."""
_CREATE_CALLER = "0x00000000000000000000000000000000000000aa"
_ENOUGH_WEI = hex(10**30)


class WouldRevert(Refused):
    """SHIP-E10: an action of the plan would fail on chain."""

    code = "SHIP-E10"


class CheckWouldFail(Refused):
    """SHIP-E11: a post-deploy check would not hold after the plan."""

    code = "SHIP-E11"


class ReadFailed(Refused):
    """SHIP-E50: a value that is read from the chain cannot be read."""

    code = "SHIP-E50"


class SimulationUnsupported(Exception):
    """The node has no usable ``eth_simulateV1``."""


@dataclass(frozen=True)
class Simulated:
    """Actions with gas filled in, and the gas of one block."""

    actions: tuple[Action, ...]
    gas: int


def _block(action: Action, sender: str, seen_s: int) -> dict[str, Any]:
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
    else:
        call = {"from": sender, "to": action.to, "value": value, "input": data}
        overrides = {sender: {"code": "0x", "nonce": hex(action.nonce), "balance": _ENOUGH_WEI}}
    return {"stateOverrides": overrides, "calls": [call], "blockOverrides": {"time": hex(seen_s)}}


def action_blocks(actions: Sequence[Action], sender: str, now_s: int) -> tuple[list[dict[str, Any]], int]:
    """``(one simulated block an action, the time of the last)``; delays of timelocks pass between them."""
    blocks, seen_s = [], now_s
    for action in actions:
        seen_s += 1 + (action.ready.delay_s if action.ready else 0)
        blocks.append(_block(action, sender, seen_s))
    return blocks, seen_s


def _request(actions: Sequence[Action], reads: Sequence[tuple[str, bytes]], sender: str, now_s: int) -> list[Any]:
    blocks, seen_s = action_blocks(actions, sender, now_s)
    calls = [{"from": sender, "to": to, "input": "0x" + data.hex()} for to, data in reads]
    if calls:
        override = {sender: {"code": "0x"}}
        blocks.append({"calls": calls, "stateOverrides": override, "blockOverrides": {"time": hex(seen_s + 1)}})
    return [{"blockStateCalls": blocks, "validation": False, "traceTransfers": False}, "latest"]


def _run(
    rpc: Rpc, actions: Sequence[Action], reads: Sequence[tuple[str, bytes]], sender: str, now_s: int
) -> list[Outcome]:
    """One result for each action, then one for each read. Raises ``SimulationUnsupported``."""
    try:
        answer = rpc.read("eth_simulateV1", _request(actions, reads, sender, now_s))
    except RpcFault as error:
        raise SimulationUnsupported(str(error)) from error
    try:
        results = [Outcome.from_rpc(call) for block in answer for call in block["calls"]]
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise SimulationUnsupported("the node's answer has another form") from error
    if len(results) != len(actions) + len(reads):
        raise SimulationUnsupported("the node left calls out of its answer")
    return results


def preview(
    rpc: Rpc, actions: Sequence[Action], reads: Sequence[tuple[str, bytes]], *, sender: str, now_s: int
) -> tuple[list[bytes], list[Mapping[str, Any]]]:
    """``(answers, logs)``: what ``reads`` (recipient, calldata) give after the actions, nothing where one reverts, and
    the events of the actions in order. Nothing is judged. Raises ``SimulationUnsupported``."""
    if not actions and not reads:
        return [], []
    results = _run(rpc, actions, reads, sender, now_s)
    logs = [log for result in results[: len(actions)] for log in result.logs]
    answers = [result.returned if result.succeeded else b"" for result in results[len(actions) :]]
    return answers, logs


def simulate(
    rpc: Rpc,
    actions: Sequence[Action],
    checks: Sequence[PlannedCheck],
    *,
    sender: str,
    now_s: int,
    gas_margin_bps: int,
    abis: Sequence[Sequence[Mapping[str, Any]]],
) -> Simulated:
    """Run the actions in order, then the checks' reads. ``now_s`` is the latest block's timestamp.

    Raises ``WouldRevert`` with the unit and the decoded reason, ``CheckWouldFail`` with expected and found, or
    ``SimulationUnsupported``.
    """
    if not actions and not checks:
        return Simulated((), 0)
    results = _run(rpc, actions, [(c.to, c.data) for c in checks], sender, now_s)
    return filled_in(actions, checks, results, gas_margin_bps=gas_margin_bps, abis=abis)


def filled_in(
    actions: Sequence[Action],
    checks: Sequence[PlannedCheck],
    results: Sequence[Outcome],
    *,
    gas_margin_bps: int,
    abis: Sequence[Sequence[Mapping[str, Any]]],
) -> Simulated:
    """The actions with the gas of their outcomes, the checks held against theirs. Raises ``WouldRevert``,
    ``CheckWouldFail``, and ``RpcDown`` for an address that is not the predicted one.
    """
    filled = []
    for action, result in zip(actions, results, strict=False):
        _must_succeed(action, result, abis)
        gas = result.gas
        # Up to a fifth of what a call needs can be refunded at its end (EIP-3529), and does not show in gasUsed.
        needed = gas if action.kind in {"create", "create2"} else gas * 5 // 4
        if action.made_by is not None:
            # A factory hands on 63/64 of what it has (EIP-150), CREATE3's proxy again: that much must be there, unused.
            needed = gas * 33 // 32
        filled.append(replace(action, gas_estimate=gas, gas_limit=needed + needed * gas_margin_bps // 10_000))
    check_answers(checks, [r.returned for r in results[len(actions) :]], would=True)
    return Simulated(tuple(filled), sum(a.gas_estimate for a in filled))


_PROBE = "0x00000000000000000000000000000000000000ab"
_PROBE_CODE = "0x5f353b5f5260205ff3"
"""Returns EXTCODESIZE of the address it is given."""


def read_after(
    rpc: Rpc, actions: Sequence[Action], to: str, data: bytes, *, sender: str, now_s: int
) -> tuple[bytes | None, bool]:
    """``(answer, whether there is code)`` of a read once ``actions`` are done; ``None`` when it reverts.

    Raises ``WouldRevert`` for an action that fails, and ``SimulationUnsupported``.
    """
    request = _request(actions, (), sender, now_s)
    word = bytes.fromhex(to[2:]).rjust(32, b"\0")
    request[0]["blockStateCalls"].append(
        {
            "calls": [
                {"from": sender, "to": to, "input": "0x" + data.hex()},
                {"from": sender, "to": _PROBE, "input": "0x" + word.hex()},
            ],
            "stateOverrides": {sender: {"code": "0x"}, _PROBE: {"code": _PROBE_CODE}},
        }
    )
    try:
        answer = rpc.read("eth_simulateV1", request)
        results = [Outcome.from_rpc(call) for block in answer for call in block["calls"]]
    except RpcFault as error:
        raise SimulationUnsupported(str(error)) from error
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise SimulationUnsupported("the node's answer has another form") from error
    if len(results) != len(actions) + 2:
        raise SimulationUnsupported("the node left calls out of its answer")
    for action, result in zip(actions, results, strict=False):
        _must_succeed(action, result, ())
    read, probe = results[-2:]
    return read.returned if read.succeeded else None, any(probe.returned)


@dataclass(frozen=True)
class Outcome:
    """One simulated call: whether it succeeded, its gas, what it returned, its revert data, its events."""

    succeeded: bool
    gas: int
    returned: bytes
    revert: bytes
    logs: Sequence[Mapping[str, Any]] = ()

    @classmethod
    def from_rpc(cls, call: Mapping[str, Any]) -> Outcome:
        returned = hex_bytes(call.get("returnData") or "0x")
        data = (call.get("error") or {}).get("data")
        revert = hex_bytes(data) if data else returned
        logs = [dict(log) for log in call.get("logs") or ()]
        return cls(quantity(call["status"]) == 1, quantity(call["gasUsed"]), returned, revert, logs)


def _must_succeed(action: Action, result: Outcome, abis: Sequence[Sequence[Mapping[str, Any]]]) -> None:
    if not result.succeeded:
        raise WouldRevert(
            f"{action.id} ({action.title}) would fail: {explain_revert(result.revert, abis)}",
            remedy="Correct the arguments, the order or the rights it needs. Nothing was signed.",
        )
    if action.kind != "call" and action.address and result.returned[-20:] != bytes.fromhex(action.address[2:]):
        raise RpcDown(
            f"the node's simulation puts {action.id} at 0x{result.returned[-20:].hex()}, predicted was {action.address}",
            remedy="Run again; if it stays, report the node's version.",
        )


def intrinsic_gas(action: Action) -> int:
    """What any node takes for the transaction before it runs (EIP-2028, EIP-2, EIP-3860)."""
    zeros = action.data.count(0)
    gas = 21_000 + 4 * zeros + 16 * (len(action.data) - zeros)
    return gas if action.to else gas + 32_000 + 2 * -(-len(action.data) // 32)


def check_answers(checks: Sequence[PlannedCheck], answers: Sequence[bytes], *, would: bool = False) -> None:
    """Hold the answers of the checks' reads against what is expected; all that differ are named."""
    wrong = []
    for check, answer in zip(checks, answers, strict=True):
        if answer != check.expected:
            wrong.append(
                f"{check.name}: `{check.call}` gives {shown(check, answer)}, expected {shown(check, check.expected)}"
            )
    if wrong:
        verb = "would not hold after this plan" if would else "does not hold"
        raise CheckWouldFail(
            f"{'a check' if len(wrong) == 1 else f'{len(wrong)} checks'} {verb}: " + "; ".join(wrong),
            remedy="Correct the project, or the check.",
        )


def shown(check: PlannedCheck, answer: bytes) -> str:
    """A check's answer decoded for people."""
    try:
        values = decode([AbiType.from_text(t) for t in check.outputs], answer)
    except ValueError:
        return f"0x{answer[:64].hex()}" if answer else "nothing"
    return ", ".join(str(jsonable(v)) for v in values)
