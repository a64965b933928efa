"""What can go wrong with shared state.

Refused      SharedStateRefused · SharedStateDamaged · LocalAhead · LocalDiverged · NotVersioned · NotShared
             TargetHeld · NotHeld
Resumable    SharedStateUnreachable · TakenOver
"""

from __future__ import annotations

from chains.errors import Refused, Resumable

__all__ = [
    "LocalAhead",
    "LocalDiverged",
    "NotHeld",
    "NotShared",
    "NotVersioned",
    "SharedStateDamaged",
    "SharedStateRefused",
    "SharedStateUnreachable",
    "TakenOver",
    "TargetHeld",
]


class SharedStateUnreachable(Resumable):
    """SHIP-J10: the bucket gave no usable answer in time."""

    code = "SHIP-J10"


class SharedStateRefused(Refused):
    """SHIP-J11: the bucket cannot be used as it is set up."""

    code = "SHIP-J11"


class SharedStateDamaged(Refused):
    """SHIP-J12: what is in the bucket is not what was written."""

    code = "SHIP-J12"


class LocalAhead(Refused):
    """SHIP-J13: the local journal holds rows that the bucket lacks."""

    code = "SHIP-J13"


class LocalDiverged(Refused):
    """SHIP-J14: the local journal and the bucket's tell different stories."""

    code = "SHIP-J14"


class NotVersioned(Refused):
    """SHIP-J15: the bucket keeps no earlier versions, and the project asks for them."""

    code = "SHIP-J15"


class NotShared(Refused):
    """SHIP-J16: this target's state is local."""

    code = "SHIP-J16"


class TargetHeld(Refused):
    """SHIP-L20: another run holds this target's lease."""

    code = "SHIP-L20"


class TakenOver(Resumable):
    """SHIP-L21: another run took this target over while this one was at work."""

    code = "SHIP-L21"


class NotHeld(Refused):
    """SHIP-L22: there is no lease to give back, or it is not this person's."""

    code = "SHIP-L22"
