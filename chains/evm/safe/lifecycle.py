"""One proposal's life, folded from the journal.

    PLANNED → PROPOSED → EXECUTED
                 │ ↖──┬───┘ the execution is gone after a reorganization deeper than finality: the same hash is open again
                 │    └ superseded: another transaction took the Safe's nonce; proposed again with the next one
                 └ signed, by us or by other owners, each signature kept

Rows: ``proposal.made``, ``proposal.nested`` (an owner that is a Safe is asked to approve), ``proposal.signed``,
``proposal.executing`` (we send it ourselves), ``proposal.executed``, ``proposal.reorged``, ``proposal.superseded``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from chains.base import Row
from chains.evm.actions import Action
from chains.evm.safe.typed import SafeTx

__all__ = ["Execution", "Nested", "ProposalState", "fold_proposals", "of_plan"]


@dataclass(frozen=True)
class Nested:
    """The approval of a proposal by an owner that is a Safe itself: a transaction of that Safe."""

    safe: str
    tx: SafeTx
    hash: str


@dataclass(frozen=True)
class Execution:
    """A transaction by which we carry a proposal (or a nested approval) out, because its signatures suffice.

    ``about`` is the safeTxHash it executes.
    """

    id: str
    about: str
    nonce: int
    to: str
    data: bytes
    gas_limit: int

    def action(self) -> Action:
        return Action(
            id=self.id, unit="", kind="call", title=f"execute {self.about} of the Safe {self.to}", nonce=self.nonce,
            to=self.to, value_wei=0, data=self.data, gas_limit=self.gas_limit, needs_code=(self.to,),
        )  # fmt: skip


@dataclass(frozen=True)
class ProposalState:
    """What the journal knows of one proposal. ``signatures`` holds, by safeTxHash, owner → signature (0x hex).

    ``since_block`` and ``since_hash`` are the newest block when it was made; ``mined`` is the transaction that executed it.
    """

    id: str
    stage: Literal["planned", "made", "executed"] = "planned"
    tx: SafeTx | None = None
    hash: str = ""
    since_block: int = 0
    since_hash: str = ""
    mined: str = ""
    made_at: str = ""
    nested: tuple[Nested, ...] = ()
    signatures: Mapping[str, Mapping[str, str]] = None  # type: ignore[assignment]
    executions: tuple[Execution, ...] = ()
    dead: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.signatures is None:
            object.__setattr__(self, "signatures", {})

    def signed_by(self, about: str) -> Mapping[str, str]:
        return self.signatures.get(about, {})


def of_plan(row: Row, plan: str) -> bool:
    return row.kind.startswith("proposal.") and row.data["plan"] == plan


def fold_proposals(rows: Iterable[Row], plan: str) -> dict[str, ProposalState]:
    """The state of every proposal of the plan with this digest that the journal speaks of."""
    states: dict[str, ProposalState] = {}
    for row in rows:
        if of_plan(row, plan):
            name = row.data["proposal"]
            states[name] = _apply(states.get(name, ProposalState(name)), row)
    return states


def _apply(state: ProposalState, row: Row) -> ProposalState:
    data: Mapping[str, Any] = row.data
    match row.kind:
        case "proposal.made":
            return replace(
                state, stage="made", tx=SafeTx.from_json(data["tx"]), hash=data["safe_tx_hash"], made_at=row.at,
                since_block=data["block_number"], since_hash=data.get("block_hash", ""), nested=(),
            )  # fmt: skip
        case "proposal.nested":
            nested = Nested(data["safe"], SafeTx.from_json(data["tx"]), data["safe_tx_hash"])
            others = tuple(n for n in state.nested if n.safe != nested.safe)
            return replace(state, nested=(*others, nested))
        case "proposal.signed":
            about = data["safe_tx_hash"]
            signed = {**state.signed_by(about), data["owner"]: data["signature"]}
            return replace(state, signatures={**state.signatures, about: signed})
        case "proposal.executing":
            execution = Execution(
                data["action"], data["safe_tx_hash"], data["nonce"], data["to"], bytes.fromhex(data["data"][2:]),
                data["gas_limit"],
            )  # fmt: skip
            return replace(state, executions=(*state.executions, execution))
        case "proposal.superseded":
            return replace(state, stage="planned", tx=None, hash="", nested=(), dead=(*state.dead, state.hash))
        case "proposal.executed":
            return replace(state, stage="executed", mined=data["hash"])
        case "proposal.reorged":
            return replace(state, stage="made", mined="")
    return state
