"""``ship verify`` on a Solana target: every live program, now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.manifest.project import Project
from pipeline.manifest.target import Target
from pipeline.programs.preparing import chain_of
from pipeline.programs.proving import ProgramProof, prove_programs
from pipeline.programs.session import open_program_session
from pipeline.ui.base import Ui
from pipeline.ui.table import Row, state_cell, table
from pipeline.verifying import ProofsFailed

__all__ = ["VerifiedPrograms", "render_verified_programs", "verify_programs"]


@dataclass(frozen=True)
class VerifiedPrograms:
    """The proofs of one target."""

    target: str
    chain: Mapping[str, Any]
    programs: Sequence[ProgramProof]

    def to_json(self) -> dict[str, Any]:
        return {
            "schema": 1,
            "kind": "contract-ship/verify",
            "target": self.target,
            "chain": dict(self.chain),
            "ok": not any(proof.problems for proof in self.programs),
            "contracts": [],
            "slots": [],
            "programs": [proof.to_json() for proof in self.programs],
        }

    def raise_problems(self) -> None:
        """Raises ``ProofsFailed`` for a program that is not what was released."""
        wrong = [f"{p.name} at {p.address}: {'; '.join(p.problems)}" for p in self.programs if p.problems]
        if wrong:
            raise ProofsFailed(
                f"{len(wrong)} of {len(self.programs)} programs on {self.target} are not what was released: {'; '.join(wrong)}",
                remedy="Do not use these programs. Ask a second node; if it agrees, find out what deployed them.",
            )


def verify_programs(project: Project, target: Target, ui: Ui) -> VerifiedPrograms:
    """Reads only."""
    purpose = f"ship verify --chain {target.name}"
    with open_program_session(project, target, ui, purpose=purpose, write=False) as session:
        session.confirm_chain()
        return VerifiedPrograms(target.name, chain_of(session), prove_programs(session))


def render_verified_programs(verified: VerifiedPrograms) -> list[str]:
    """One line a program, and what came out."""
    if not verified.programs:
        return [f"Nothing is deployed on {verified.target}, so there is nothing to prove."]
    notes = {"match": "byte for byte", "hash": "by its hash; its bytes are not here", "differs": ""}
    rows: list[Row] = [
        (
            state_cell("failed" if proof.problems else "proven"),
            proof.name,
            proof.address,
            proof.sha256[:16],
            "; ".join(proof.problems) or notes[proof.bytes],
        )
        for proof in verified.programs
    ]
    good = sum(not proof.problems for proof in verified.programs)
    return [*table(rows), "", f"{good} of {len(verified.programs)} programs on {verified.target} proven"]
