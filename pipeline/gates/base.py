"""What a gate is, and what comes out of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from chains.errors import Refused
from chains.evm.foundry import Workspace
from chains.processes import ProcessGroup
from pipeline.bundle import Bundle

__all__ = ["Gate", "GateContext", "GateError", "GateResult", "Status", "Verdict"]

Status = Literal["passed", "failed"]


class GateError(Refused):
    """SHIP-G01: a gate could not be run, which counts as failed."""

    code = "SHIP-G01"


@dataclass(frozen=True)
class GateContext:
    """What a gate judges: a bundle, and the build folder it came from. It may leave files in ``folder``."""

    bundle: Bundle
    workspace: Workspace
    folder: Path
    group: ProcessGroup


@dataclass(frozen=True)
class Verdict:
    """What a gate found. ``read`` are the files it judged besides what its question names, with their digests.

    ``files`` are what it left in its folder. ``reusable``: the same inputs would give the same verdict again.
    """

    status: Status
    summary: str
    details: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    read: Mapping[str, str] = field(default_factory=dict)
    reusable: bool = True


class Gate(Protocol):
    """One thing that must hold. Never passes without having looked."""

    @property
    def name(self) -> str: ...

    def question(self, bundle: Bundle, workspace: Workspace) -> Mapping[str, Any]:
        """Everything the verdict depends on that is known beforehand, as canonical JSON. Quick.

        Raises ``Refused`` when what the user wrote for this gate cannot be used.
        """
        ...

    def run(self, context: GateContext) -> Verdict:
        """Raises ``GateError``, or another ``ShipError``, when it could not be run."""
        ...


@dataclass(frozen=True)
class GateResult:
    """A verdict, and the digest of what it judged. ``earlier``: it was given by an earlier run, over the same."""

    name: str
    status: Status
    summary: str
    details: tuple[str, ...]
    judged: str
    duration_s: float
    files: tuple[Path, ...] = ()
    earlier: bool = False

    def to_json(self) -> dict[str, Any]:
        """For the journal and the record: without paths of this machine."""
        return {
            "name": self.name,
            "status": self.status,
            "summary": self.summary,
            "details": list(self.details),
            "judged": self.judged,
            "duration_ms": round(self.duration_s * 1000),
            "files": [path.name for path in self.files],
            "earlier": self.earlier,
        }
