"""The gates of this project over the candidate's bytes: results its records hold count, the others are run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from chains.errors import ShipError
from pipeline.bundle import Bundle
from pipeline.making import Made, make_bundle
from pipeline.manifest.project import Project
from pipeline.manifest.target import Target, load_target
from pipeline.promotion.errors import CandidateAltered
from pipeline.released.contents import Contents
from pipeline.steps.gates import Judge, chosen_gates
from pipeline.ui.base import Ui

__all__ = ["Judging"]


@dataclass(frozen=True)
class Judging:
    """Gives every gate's result. Raises ``GatesFailed``, and ``CandidateAltered`` where the commit gives other bytes."""

    project: Project
    contents: Contents
    bundle: Bundle
    ui: Ui
    title: str = "judging the same bytes"

    def run(self) -> tuple[dict[str, Any], ...]:
        asked = self._asked()
        # Commit and settings are the candidate's, so its records' results are over this bundle by these very gates.
        counted: dict[str, dict[str, Any]] = {}
        for released in self.contents.records:
            for result in released.record["gates"]:
                if result["name"] in asked and result["status"] == "passed":
                    counted.setdefault(result["name"], {**result, "earlier": True})
        if all(name in counted for name in asked):
            return tuple(counted[name] for name in asked)
        self.ui.note(f"not judged for the candidate: {', '.join(name for name in asked if name not in counted)}")
        return tuple(result.to_json() for result in Judge(self.project, self._built(), self.ui).run())

    def _asked(self) -> list[str]:
        names = [gate.name for gate in chosen_gates(self.project)] if self.bundle.sources else []
        programs = self.project.gates.program_tests is not None and bool(self.bundle.programs)
        return [*names, "program-tests"] if programs else names

    def _built(self) -> Made:
        """This checkout, built as the candidate was. A bundle holds what its run's targets asked for: together, or one by one."""
        made = None
        for targets in self._runs():
            made = make_bundle(self.project, targets, self.ui)
            if made.bundle.digest == self.bundle.digest:
                return made
        found = made.bundle.digest[:12] if made else "nothing"
        raise CandidateAltered(
            f"commit {str(self.contents.commit)[:12]} builds to bundle {found} here, the candidate is {self.bundle.digest[:12]}",
            remedy="Use the toolchain the candidate was built with (bundle.json names it), or let its own run judge it.",
        )

    def _runs(self) -> Iterator[tuple[Target, ...]]:
        targets = []
        for released in self.contents.records:
            try:
                targets.append(load_target(self.project, released.target))
            except ShipError:
                continue  # a target another checkout has; its sources are in the bundle all the same
        yield tuple(targets)
        if len(targets) > 1:
            yield from ((target,) for target in targets)

    def summary(self, result: tuple[dict[str, Any], ...]) -> str:
        earlier = sum(bool(one["earlier"]) for one in result)
        return (
            f"{len(result)} passed, {earlier} of them for the candidate" if result else "the project asks for no gates"
        )
