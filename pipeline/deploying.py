"""One deployment as the command line runs it: loading, the pipeline, and what to tell at the end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from chains.errors import Resumable, ShipError
from pipeline.manifest.project import load_project
from pipeline.manifest.target import load_target
from pipeline.options import DeployOptions
from pipeline.outcome import Outcome
from pipeline.reaching import ask_ahead
from pipeline.ui.base import Ui

__all__ = ["Deployment", "Interrupted"]


class Interrupted(Resumable):
    """SHIP-I01: the run was interrupted."""

    code = "SHIP-I01"


@dataclass(frozen=True)
class Deployment:
    """``ship deploy`` of the project in ``root`` to the target called ``name``."""

    root: Path
    name: str
    options: DeployOptions
    ui: Ui
    show_error: Callable[[ShipError], None]

    def run(self) -> Outcome:
        """The outcome, whatever happened; its error was shown."""
        outcome = Outcome(self.name)
        try:
            project = self.options.versioned(load_project(self.root))
            outcome.version = project.version
            target = load_target(project, self.name)
            reached = ask_ahead(project, target)
            from pipeline.releasing import release  # most of what is imported: meanwhile the chain is asked

            release(project, target, self.options, self.ui, outcome, reached=reached)
        except ShipError as error:
            self._failed(outcome, error)
        except KeyboardInterrupt:
            candidate = self.options.candidate
            command = f"promote {candidate.tag}" if candidate is not None else "deploy"
            again = f"ship {command} --chain {self.name}"
            self._failed(outcome, Interrupted("the run was interrupted", remedy=f"`{again}` goes on where it was."))
        if outcome.error is None:
            self._tell(outcome)
        return outcome

    def _failed(self, outcome: Outcome, error: ShipError) -> None:
        self.ui.close()
        outcome.fail(error)
        self.show_error(error)

    def _tell(self, outcome: Outcome) -> None:
        width = max((len(name) for name in outcome.units), default=0)
        lines = [""]
        for name, unit in outcome.units.items():
            lines.append(f"{name:<{width}}  {unit.address or '':<42}  {unit.state}")
        sent = f"{outcome.sent} transaction{'' if outcome.sent == 1 else 's'} sent"
        lines += ["", f"done: {outcome.version} on {outcome.target}, {sent}, record {outcome.record}"]
        self.ui.block("\n".join(lines))
