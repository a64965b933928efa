"""One program's release, folded from the journal, and what follows from a look at the chain (design §7).

    PLANNED (sol.planned: the buffer's address is durable, no key is) → BUFFER_CREATED → WRITING → BUFFER_OK → SIGNED → CONFIRMED → FINAL

Rows, each with ``plan`` and ``unit``:

    sol.planned    the whole job, before anything is signed
    sol.signed     step, signature, raw, blockhash, last_valid_height: before the send, one row for each
    sol.writing    a wave of chunk writes: offsets and signatures, and what their messages are made of (chains.solana.waves)
    sol.expired    step, signature, providers, landed: it can never land (again); only now may the step be signed anew
    sol.confirmed  step, signature, slot: the chain shows its effect
    sol.buffer_ok  sha256, slot: the buffer was read back whole at finality, its authority right
    sol.failed     step, signature, error: it landed and failed, finally
    sol.final      sha256, authority, slot, signature: final, on two providers' word
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from chains.base import Row
from chains.solana.transactions import Signed

__all__ = ["UnitState", "fold", "signed_row"]


@dataclass
class UnitState:
    """What the journal knows of one unit of one plan. ``attempts`` by step; ``expired`` holds dead signatures."""

    unit: str
    planned: Mapping[str, Any] | None = None
    attempts: dict[str, list[Signed]] = field(default_factory=dict)
    waves: list[Mapping[str, Any]] = field(default_factory=list)
    expired: set[str] = field(default_factory=set)
    undone: set[str] = field(default_factory=set)
    """Steps that landed and whose effect is gone."""
    confirmed: set[str] = field(default_factory=set)
    failed: dict[str, str] = field(default_factory=dict)
    buffer_ok: Mapping[str, Any] | None = None
    final: Mapping[str, Any] | None = None

    def open_attempt(self, step: str) -> Signed | None:
        """The newest signed form that may still land, or may have."""
        made = self.attempts.get(step)
        return made[-1] if made and made[-1].signature not in self.expired else None

    def apply(self, row: Row) -> None:
        data = row.data
        match row.kind:
            case "sol.planned":
                self.planned = data
            case "sol.signed":
                signed = Signed(
                    data["signature"], bytes.fromhex(data["raw"]), data["blockhash"], data["last_valid_height"]
                )
                self.attempts.setdefault(data["step"], []).append(signed)
            case "sol.writing":
                self.waves.append(data)
            case "sol.expired":
                self.expired.add(data["signature"])
                if data["landed"]:
                    self.undone.add(data["step"])
            case "sol.confirmed":
                self.confirmed.add(data["step"])
            case "sol.failed":
                self.failed[data["step"]] = data["error"]
            case "sol.buffer_ok":
                self.buffer_ok = data
            case "sol.final":
                self.final = data


def fold(rows: Iterable[Row], plan: str, unit: str) -> UnitState:
    """The state of ``unit`` in the plan with this digest."""
    state = UnitState(unit)
    for row in rows:
        if row.kind.startswith("sol.") and row.data["plan"] == plan and row.data["unit"] == unit:
            state.apply(row)
    return state


def signed_row(step: str, signed: Signed) -> dict[str, Any]:
    return {
        "step": step,
        "signature": signed.signature,
        "raw": signed.raw.hex(),
        "blockhash": signed.blockhash,
        "last_valid_height": signed.last_valid_height,
    }
