"""How the engine keeps time and what it may spend."""

from __future__ import annotations

from dataclasses import dataclass

from chains.errors import NeedsPerson, Refused, Resumable

__all__ = ["NotFinal", "Settings", "SimulationFailed", "StepFailed"]


class SimulationFailed(Refused):
    """SHIP-Q09: a transaction would fail; it was not signed."""

    code = "SHIP-Q09"


class StepFailed(NeedsPerson):
    """SHIP-Q10: a transaction landed and failed. It is recorded and never retried blindly."""

    code = "SHIP-Q10"


class NotFinal(Resumable):
    """SHIP-Q11: nothing changed on chain for as long as the policy waits."""

    code = "SHIP-Q11"


@dataclass(frozen=True)
class Settings:
    """``in_flight`` bounds the chunk writes under way, ``threads`` those who send them, each ``per_request`` at a time.

    A lone provider's word that something expired counts only ``lone_extra_blocks`` later than two providers' would.
    """

    poll_s: float = 0.4
    wait_s: float = 180.0
    resend_s: float = 2.0
    in_flight: int = 256
    threads: int = 8
    per_request: int = 16
    price_cap_micro_lamports: int = 1_000_000
    price_percentile: int = 75
    lone_extra_blocks: int = 32
