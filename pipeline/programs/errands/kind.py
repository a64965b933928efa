"""What tells the plan of an errand from that of a release, and which command goes on with it."""

from __future__ import annotations

from typing import Literal

from chains.errors import Refused
from pipeline.programs.plan import ProgramPlan

__all__ = ["Errand", "ErrandUnderWay", "command_of", "errand_of", "refuse_errand_under_way", "under_way"]

Errand = Literal["rotation", "finalize", "close"]
_BY_ACTION: dict[str, Errand] = {"authority": "rotation", "finalize": "finalize", "close": "close"}


class ErrandUnderWay(Refused):
    """SHIP-Q80: another plan of the target is unfinished, and comes first."""

    code = "SHIP-Q80"


def errand_of(plan: ProgramPlan) -> Errand | None:
    """``None`` for a release or a rollback: those have units, and an errand has none."""
    return None if plan.body.units or not plan.body.actions else _BY_ACTION.get(plan.body.actions[0].kind)


def command_of(plan: ProgramPlan) -> str:
    """The command that goes on with ``plan``."""
    chain = f"--chain {plan.target}"
    match errand_of(plan):
        case "rotation":
            return f"ship signer rotate {chain}"
        case "finalize":
            return f"ship solana finalize {chain} --program {plan.body.actions[0].unit}"
        case "close":
            named = " ".join(f"--close {action.details['buffer']}" for action in plan.body.actions)
            return f"ship solana buffers {chain} {named}"
    return f"ship rollback {chain} --execute" if plan.rollback is not None else f"ship deploy {chain}"


def under_way(plan: ProgramPlan) -> ErrandUnderWay:
    """The refusal that names what is unfinished."""
    words = {
        "rotation": f"a rotation of the key to {plan.body.handover}",
        "finalize": "making a program immutable",
        "close": "closing buffers",
    }
    errand = errand_of(plan)
    what = words[errand] if errand else f"going back to {plan.tag}" if plan.rollback else f"the release of {plan.tag}"
    give_up = "" if errand or plan.rollback else ", or give it up with --replan"
    return ErrandUnderWay(
        f"{what} is under way on {plan.target}",
        done="This run did nothing; what the other did so far is in the journal.",
        remedy=f"Finish it: `{command_of(plan)}`{give_up}.",
    )


def refuse_errand_under_way(plan: ProgramPlan) -> None:
    """Raises ``ErrandUnderWay`` where an unfinished ``plan`` is an errand: a release does not carry it on."""
    if errand_of(plan) is not None:
        raise under_way(plan)
