"""What rollbacks are refused for, and what stops them."""

from __future__ import annotations

from chains.errors import NeedsPerson, Refused, Resumable

__all__ = [
    "CannotGoBack",
    "DrillFailed",
    "DrillUnsure",
    "NoWayHome",
    "NothingToRollBack",
    "OtherPlanUnderWay",
    "PreconditionGone",
    "RollbackRecordInvalid",
    "RollbackUnderWay",
    "StateAtRisk",
]


class NothingToRollBack(Refused):
    """SHIP-U30: no release is recorded that could be taken back, or none of the version that was named."""

    code = "SHIP-U30"


class CannotGoBack(Refused):
    """SHIP-U31: nothing of the release can be taken back by any transaction."""

    code = "SHIP-U31"


class StateAtRisk(Refused):
    """SHIP-U32: going back would run old code on state it does not fit, or leave a part behind; nobody accepted that."""

    code = "SHIP-U32"


class PreconditionGone(Refused):
    """SHIP-U33: what the rollback goes back to is no longer on chain as it was."""

    code = "SHIP-U33"


class NoWayHome(Refused):
    """SHIP-U34: an upgrade could not be taken back by anybody that is known, so that it is not begun."""

    code = "SHIP-U34"


class OtherPlanUnderWay(Refused):
    """SHIP-U35: another plan is under way on the target, and a rollback cannot begin."""

    code = "SHIP-U35"


class RollbackUnderWay(Refused):
    """SHIP-U36: an unfinished rollback comes before any release."""

    code = "SHIP-U36"


class DrillFailed(NeedsPerson):
    """SHIP-U37: a recorded rollback would not work any more."""

    code = "SHIP-U37"


class DrillUnsure(Resumable):
    """SHIP-U38: whether recorded rollbacks would work could not be tried."""

    code = "SHIP-U38"


class RollbackRecordInvalid(Refused):
    """SHIP-U39: the file is no rollback record."""

    code = "SHIP-U39"
