"""``[review]``: what a review pack may leave unexplained."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field, WithJsonSchema

from pipeline.manifest.fields import Spec, refuse

__all__ = ["ReviewSpec"]

_PATTERN = r"^(?:[A-Za-z][A-Za-z0-9_-]{0,63}(?:\.[A-Za-z0-9_-]{1,64})?|0x[0-9a-fA-F]{40}):(?:\*|0x[0-9a-fA-F]{1,64})$"


def _slot(value: str) -> str:
    if not re.fullmatch(_PATTERN.strip("^$"), value):
        refuse(
            "BadValue",
            "This names no storage slot.",
            'Write "Vault:0x…" for one slot of a unit or an address, "Vault:*" for all of them.',
        )
    return value


SlotName = Annotated[str, AfterValidator(_slot), WithJsonSchema({"type": "string", "pattern": _PATTERN})]


class ReviewSpec(Spec):
    """``[review]``: what a review pack may leave unexplained."""

    allow_slots: tuple[SlotName, ...] = Field(
        (),
        description='Storage slots that may change though no variable explains them: "Vault:0x…", "Vault:*"; a unit, '
        "Vault.implementation, or an address.",
    )
