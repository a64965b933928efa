"""The proofs for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from chains.errors import printable
from pipeline.proving import Proven
from pipeline.ui.table import Row, state_cell, table
from pipeline.verifying import Verified

if TYPE_CHECKING:
    from chains.evm.explorers.publishing import Outcome
    from pipeline.publishing.foreign import ForeignVerified
    from pipeline.publishing.publish import Published

__all__ = ["render_address", "render_report", "render_verified"]

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
    services = [] if verified.published is None else ["", *_shown(verified.published)]
    last = f"{proven} of {len(verified.proofs)} contracts on {where} proven, {exact} reproduced byte for byte"
    return [*table(rows), "", last, *services]


def render_address(found: ForeignVerified) -> list[str]:
    """For one contract that another tool deployed."""
    how = f", created by {found.transaction}" if found.transaction else ""
    lines = [f"{found.contract} lies at {found.address} on {found.target}{how}"]
    return lines if found.published is None else [*lines, "", *_shown(found.published)]


def render_report(verified: Sequence[Verified]) -> list[str]:
    """One line a contract, one column a service."""
    names = list(dict.fromkeys(o.job.explorer.name for one in verified for o in _outcomes(one)))
    rows: list[Row] = []
    for one in verified:
        at = {(o.job.errand.subject.address, o.job.explorer.name): o.verdict.kind for o in _outcomes(one)
              if o.job.errand.subject.kind == "source"}  # fmt: skip
        for proof in one.proofs:
            address = proof.creation.address
            cells = [f"{name} {at.get((address, name), '-')}" for name in names]
            rows.append((state_cell(proof.state), one.target, proof.creation.name, address, "  ".join(cells)))
    if not rows:
        return ["Nothing is deployed anywhere, so there is nothing to verify."]
    return table(rows)


def _outcomes(verified: Verified) -> Sequence[Outcome]:
    return verified.published.outcomes if verified.published is not None else ()


def _shown(published: Published) -> list[str]:
    rows: list[Row] = [
        (
            state_cell(o.verdict.kind),
            o.job.explorer.name,
            o.job.errand.title,
            printable(o.verdict.reason, 200) or o.verdict.url or "",
        )
        for o in published.outcomes
    ]
    return [*table(rows), "", f"sources: {published.sentence()}"]


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
