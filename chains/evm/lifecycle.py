"""One transaction's life, folded from the journal (design §6).

    PLANNED → RESERVED → SIGNED → MINED → FINAL
                           │  ↖─────┘ the receipt is gone after a reorg
                           ├→ REVERTED   mined with status 0: recorded, never retried blindly
                           └→ FOREIGN    the nonce was used by a transaction that is not ours

    PLANNED or REVERTED → ADOPTED   a creation whose very contract somebody else put at its salted address

FINAL goes back to SIGNED when a later run finds that a reorganization went deeper than the finality rule.

An action that a Safe is to make has another life: PLANNED → PROPOSED → FINAL (``chains.evm.safe.lifecycle``), and back
to PROPOSED when such a reorganization undid it.

Rows: ``tx.reserved``, ``tx.signed`` (once per fee level, every hash kept), ``tx.mined``, ``tx.reorged``,
``tx.reverted``, ``tx.final``, ``tx.foreign``; ``unit.adopted`` where it names an action.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from chains.base import Row
from chains.evm.transaction import Fees

__all__ = ["Attempt", "Mined", "Stage", "TxState", "apply", "fold", "not_taken_back"]

Stage = Literal["planned", "proposed", "reserved", "signed", "mined", "final", "reverted", "foreign", "adopted"]


@dataclass(frozen=True)
class Attempt:
    """A signed form of the transaction: its hash (0x hex), raw bytes, and fees."""

    hash: str
    raw: bytes
    fees: Fees


@dataclass(frozen=True)
class Mined:
    """Where a transaction was found. ``gas_price_wei`` is the effective one; ``l1_fee_wei`` and ``operator_fee_wei`` are
    paid beside the gas."""

    hash: str
    block_number: int
    block_hash: str
    gas_used: int
    gas_price_wei: int
    l1_fee_wei: int = 0
    operator_fee_wei: int = 0

    def to_json(self) -> dict[str, Any]:
        beside = {"l1_fee_wei": self.l1_fee_wei, "operator_fee_wei": self.operator_fee_wei}
        data = {key: value for key, value in self.__dict__.items() if key not in beside}
        data |= {key: str(fee_wei) for key, fee_wei in beside.items() if fee_wei}
        return {**data, "gas_price_wei": str(self.gas_price_wei)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Mined:
        return cls(
            data["hash"],
            data["block_number"],
            data["block_hash"],
            data["gas_used"],
            int(data["gas_price_wei"]),
            int(data.get("l1_fee_wei", 0)),
            int(data.get("operator_fee_wei", 0)),
        )

    @property
    def fee_wei(self) -> int:
        """What it took to have it mined, its value apart."""
        return self.gas_used * self.gas_price_wei + self.l1_fee_wei + self.operator_fee_wei


@dataclass(frozen=True)
class TxState:
    """What the journal knows about one action of one plan."""

    action: str
    stage: Stage = "planned"
    nonce: int | None = None
    fees: Fees | None = None
    attempts: tuple[Attempt, ...] = ()
    mined: Mined | None = None
    reason: str = ""

    @property
    def settled(self) -> bool:
        """Nothing more can happen to it by itself."""
        return self.stage in {"final", "reverted", "foreign", "adopted"}


def apply(state: TxState, row: Row) -> TxState:
    """``state`` after one more row about it."""
    data = row.data
    match row.kind:
        case "tx.reserved":
            return replace(state, stage="reserved", nonce=data["nonce"], fees=Fees.from_json(data["fees"]))
        case "tx.signed":
            attempt = Attempt(data["hash"], bytes.fromhex(data["raw"][2:]), Fees.from_json(data["fees"]))
            return replace(state, stage="signed", attempts=(*state.attempts, attempt))
        case "tx.mined":
            return replace(state, stage="mined", mined=Mined.from_json(data))
        case "tx.reorged":
            return replace(state, stage="signed", mined=None)
        case "tx.reverted":
            return replace(state, stage="reverted", mined=Mined.from_json(data), reason=data["reason"])
        case "tx.final" | "proposal.executed":
            return replace(state, stage="final", mined=Mined.from_json(data))
        case "tx.foreign":
            return replace(state, stage="foreign", reason=data["reason"])
        case "unit.adopted":
            return replace(state, stage="adopted")
        case "proposal.made" | "proposal.reorged":
            return replace(state, stage="proposed", mined=None)
        case "proposal.superseded":
            return replace(state, stage="planned")
    return state


def fold(rows: Iterable[Row], plan: str) -> dict[str, TxState]:
    """The state of every action of the plan with this digest that the journal speaks of."""
    states: dict[str, TxState] = {}
    for row in rows:
        if (row.kind.startswith("tx.") or _adopts_action(row)) and row.data["plan"] == plan:
            action = row.data["action"]
            states[action] = apply(states.get(action, TxState(action)), row)
        elif row.kind.startswith("proposal.") and row.data["plan"] == plan:
            for action in row.data.get("actions", ()):
                states[action] = apply(states.get(action, TxState(action)), row)
    return states


def not_taken_back(rows: Sequence[Row]) -> list[Row]:
    """The rows without those that called something final which a deeper reorganization undid afterwards."""
    undone: set[tuple[str, str, str]] = set()
    kept = []
    for row in reversed(rows):
        match row.kind:
            case "tx.reorged":
                undone.add(("tx.final", row.data["plan"], row.data["action"]))
            case "proposal.reorged":
                undone.add(("proposal.executed", row.data["plan"], row.data["proposal"]))
            case "tx.final":
                if (row.kind, row.data["plan"], row.data["action"]) in undone:
                    continue
            case "proposal.executed":
                if (row.kind, row.data["plan"], row.data["proposal"]) in undone:
                    continue
        kept.append(row)
    return kept[::-1]


def _adopts_action(row: Row) -> bool:
    """Most adoptions are made before a plan is sent, of whole units; this one takes the place of a transaction."""
    return row.kind == "unit.adopted" and "action" in row.data
