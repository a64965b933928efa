"""Recording: the release record and its statement, derived from the journal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chains.evm.observing import CheckResult
from pipeline import __version__
from pipeline.journal import Journal
from pipeline.plan import Envelope, Plan
from pipeline.proving import Proven
from pipeline.record import derive_record, load_record, write_record
from pipeline.session import Session

if TYPE_CHECKING:
    from pipeline.programs.session import ProgramSession

__all__ = ["Record", "Recorded", "record_path"]


@dataclass(frozen=True)
class Recorded:
    """Where the record lies, and the sha256 of its bytes."""

    path: Path
    sha256: str


def record_path(session: Session | ProgramSession, plan: Envelope) -> Path:
    """Where this plan's record goes."""
    return session.state.record_of(plan.tag, plan.digest, lambda path: str(load_record(path)["plan"]))


@dataclass(frozen=True)
class Record:
    """Writes proofs and checks to the journal, then what follows from it, then that the plan is finished."""

    session: Session
    plan: Plan
    proofs: Sequence[Proven]
    checks: list[CheckResult]
    inner: Sequence[str] = ()
    """Contracts that contracts created, lower case: no action of the plan's names them."""
    title: str = "recording the release"

    def run(self) -> Recorded:
        journal = self.session.journal
        assert journal is not None
        if not self._proven(journal):
            evidence: dict[str, Any] = {
                "plan": self.plan.digest,
                "ship": __version__,
                "proofs": [p.proof.to_json() for p in self.proofs if p.proof is not None],
                "checks": [c.to_json() for c in self.checks],
                **({"inner": list(self.inner)} if self.inner else {}),
            }
            journal.append("plan.proven", evidence)
        record = derive_record(self.plan, self.session.bodies(), journal.rows)
        path = record_path(self.session, self.plan)
        sha256 = write_record(path, record)
        relative = str(path.relative_to(self.session.project.root))
        journal.append("plan.finished", {"plan": self.plan.digest, "record": relative, "sha256": sha256})
        return Recorded(path, sha256)

    def _proven(self, journal: Journal) -> bool:
        return any(r.kind == "plan.proven" and r.data["plan"] == self.plan.digest for r in journal.rows)

    def summary(self, result: Recorded) -> str:
        return f"{result.path.relative_to(self.session.project.root)}, sha256 {result.sha256[:12]}"
