"""Which strategy goes with which kind of contract: the one place to add a kind."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.rollback.strategies.base import Strategy
from pipeline.rollback.strategies.beacon import Beacon
from pipeline.rollback.strategies.immutable import Immutable
from pipeline.rollback.strategies.transparent import Transparent
from pipeline.rollback.strategies.uups import Uups

__all__ = ["STRATEGIES"]

STRATEGIES: Mapping[str, Strategy] = {
    "uups": Uups(),
    "transparent": Transparent(),
    "beacon": Beacon(),
    "none": Immutable(),
}
"""By ``proxy`` in ``ship.toml``."""
