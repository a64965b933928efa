"""``[promote]``: what a release candidate has to have behind it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import BeforeValidator, Field, WithJsonSchema

from pipeline.manifest.fields import Name, Spec, refuse

__all__ = ["Duration", "PromoteSpec"]

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_PATTERN = r"^[1-9][0-9]{0,5}[smhdw]$"


def _seconds(value: object) -> int:
    if not isinstance(value, str) or not re.fullmatch(_PATTERN, value):
        refuse("BadValue", "This is not a length of time.", 'Write a number and s, m, h, d or w, as "24h".')
    return int(value[:-1]) * _UNITS[value[-1]]


Duration = Annotated[int, BeforeValidator(_seconds), WithJsonSchema({"type": "string", "pattern": _PATTERN})]
"""Seconds, written as ``24h``."""


class PromoteSpec(Spec):
    """``[promote]``: what a release candidate has to have behind it before `ship promote` puts it anywhere."""

    min_age: Duration | None = Field(
        default=None,
        description="How long the candidate must have been live and proven on its targets.",
        examples=["24h"],
    )
    require_targets: tuple[Name, ...] = Field(
        default=(),
        description="Targets the candidate must be live and proven on. Every target it was released to but local ones, "
        "otherwise.",
    )
    ladder: tuple[Name, ...] = Field(
        default=(),
        description='Environments from lowest to highest, as ["local", "testnet", "mainnet"]: none is skipped.',
    )
    rungs: Mapping[Name, tuple[Name, ...]] = Field(
        default_factory=dict,
        description="Targets by rung, where the chain's own kind (local, testnet, mainnet) is not meant.",
    )
