"""The proofs for people."""

from __future__ import annotations

from chains.errors import printable
from pipeline.proving import Proven
from pipeline.ui.table import Row, state_cell, table
from pipeline.verifying import Verified

__all__ = ["render_verified"]

_REEXECUTION = {
    "match": "re-execution",
    "differs": "re-execution differs where its constructor read its own address or the chain",
    "unavailable": "not re-executed",
}


def render_verified(verified: Verified) -> list[str]:
    """One line a contract, and what came out."""
    where = f"{verified.target} (chain {verified.chain['id']})"
    if not verified.proofs:
        return [f"Nothing is deployed on {where}, so there is nothing to prove."]
    rows: list[Row] = [
        (state_cell(p.state), p.creation.name, p.creation.address, f"v{p.creation.plan.version}", _note(p))
        for p in verified.proofs
    ]
    rows += [
        (
            state_cell("ok" if s.passed else "failed"),
            f"{s.name} slot",
            s.found,
            "",
            "in use" if s.passed else "not recorded",
        )
        for s in verified.slots
    ]
    proven = len(verified.of("proven"))
    exact = sum(p.proof is not None and p.proof.reexecution == "match" for p in verified.of("proven"))
    last = f"{proven} of {len(verified.proofs)} contracts on {where} proven, {exact} reproduced byte for byte"
    return [*table(rows), "", last]


def _note(proven: Proven) -> str:
    if proven.error is not None:
        return printable(proven.error.cause, 200)
    if proven.proof is None:
        return proven.reason
    if proven.proof.problems:
        return "; ".join(proven.proof.problems)
    if proven.creation.transaction is None:
        return f"adopted: runtime, {_REEXECUTION[proven.proof.reexecution]}"
    return f"runtime, creation input, {_REEXECUTION[proven.proof.reexecution]}"
