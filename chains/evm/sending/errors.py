"""How sending a plan can end other than well. Each leaves a journal from which the same command goes on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from chains.errors import NeedsPerson, Refused, Resumable
from chains.evm.actions import Action, EvmPlan
from chains.evm.lifecycle import TxState

__all__ = [
    "ActionReverted",
    "NonceTaken",
    "NotReady",
    "ReadChanged",
    "SignerMismatch",
    "SigningStopped",
    "StillPending",
    "WrongCode",
    "halted",
    "nonce_taken",
    "pending",
]


class ActionReverted(NeedsPerson):
    """SHIP-E20: a transaction was mined and failed. It is recorded and never retried blindly."""

    code = "SHIP-E20"


class NonceTaken(NeedsPerson):
    """SHIP-E21: a transaction that is not ours used a nonce of the plan."""

    code = "SHIP-E21"


class StillPending(Resumable):
    """SHIP-E22: nothing changed on chain for as long as the policy waits."""

    code = "SHIP-E22"


class WrongCode(NeedsPerson):
    """SHIP-E23: the chain holds other code at a contract's address than was deployed."""

    code = "SHIP-E23"


class NotReady(Resumable):
    """SHIP-E24: a scheduled operation may not be executed yet."""

    code = "SHIP-E24"


class ReadChanged(NeedsPerson):
    """SHIP-E51: the chain no longer gives a value that a transaction of the approved plan holds."""

    code = "SHIP-E51"


class SignerMismatch(Refused):
    """SHIP-E26: the key at hand is not the one the plan was made for."""

    code = "SHIP-E26"


class SigningStopped(Resumable):
    """SHIP-E27: a signature was refused after earlier transactions of the plan had been signed."""

    code = "SHIP-E27"


def nonce_taken(plan: EvmPlan, action: Action, reason: str) -> NonceTaken:
    return NonceTaken(
        f"nonce {action.nonce} of {plan.deployer}, planned for {action.id}, is not free: {reason}",
        remedy="Find out who else signs with this key. Then `ship deploy --replan` continues from what is on chain.",
    )


def halted(plan: EvmPlan, states: Iterable[TxState]) -> NeedsPerson:
    """What the first transaction that stops the plan means."""
    state = next(s for s in states if s.stage in {"reverted", "foreign"})
    if state.stage == "foreign":
        return nonce_taken(plan, next(a for a in plan.actions if a.id == state.action), state.reason)
    block = state.mined.block_number if state.mined else "?"
    return ActionReverted(
        f"{state.action} was mined in block {block} and failed: {state.reason}",
        remedy="Correct the cause, then `ship deploy --replan` plans the rest from what is on chain.",
    )


def pending(wait_s: float, under_way: Sequence[TxState], hint: str) -> StillPending:
    waiting = ", ".join(s.action for s in under_way) or "the next action"
    return StillPending(
        f"nothing changed for {wait_s:g} s; waiting for {waiting}{f' ({hint})' if hint else ''}",
        remedy="Run the same command again: it goes on with the same bytes.",
    )
