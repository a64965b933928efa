"""A simulated plan, judged: reverts with their reason, checks that would not hold, the gas each action needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chains.errors import Refused
from chains.evm.abi import AbiType, decode, explain_revert, jsonable
from chains.evm.actions import Action, PlannedCheck
from chains.evm.scene import Outcome
from chains.rpc import RpcDown

__all__ = ["CheckWouldFail", "ReadFailed", "WouldRevert", "check_answers", "gas_needed", "must_succeed", "shown"]

Abis = Sequence[Sequence[Mapping[str, Any]]]


class WouldRevert(Refused):
    """SHIP-E10: an action of the plan would fail on chain."""

    code = "SHIP-E10"


class CheckWouldFail(Refused):
    """SHIP-E11: a post-deploy check would not hold after the plan."""

    code = "SHIP-E11"


class ReadFailed(Refused):
    """SHIP-E50: a value that is read from the chain cannot be read."""

    code = "SHIP-E50"


def must_succeed(action: Action, result: Outcome, abis: Abis) -> None:
    """Raises ``WouldRevert`` with the unit and the decoded reason, ``RpcDown`` for an address that is not the predicted one."""
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


def gas_needed(action: Action, used: int) -> int:
    """How much must be there for ``action`` to use ``used``."""
    if action.made_by is not None:
        # A factory hands on 63/64 of what it has (EIP-150), CREATE3's proxy again: that much must be there, unused.
        return used * 33 // 32
    # Up to a fifth of what a call needs can be refunded at its end (EIP-3529), and does not show in gasUsed.
    return used if action.kind in {"create", "create2"} else used * 5 // 4


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
