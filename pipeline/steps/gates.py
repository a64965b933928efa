"""Judging: everything that must hold before these bytes may be planned."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from chains.base import Progress
from pipeline.gates.base import Gate, GateResult
from pipeline.gates.runner import run_gates
from pipeline.making import Made
from pipeline.manifest.gates import selected_gates
from pipeline.manifest.project import Project

__all__ = ["Judge", "chosen_gates"]


def chosen_gates(project: Project) -> Iterator[Gate]:
    """The gates ``[gates]`` asks for. Raises ``NotBuiltYet`` for one this version does not have."""
    asked = selected_gates(project)
    if asked.tests is not None:
        from pipeline.gates.forge_test import ForgeTest, ForgeTestConfig

        yield ForgeTest(ForgeTestConfig(fuzz_seed=asked.tests.fuzz_seed))
    if asked.slither is not None:
        from pipeline.gates.slither import Slither, SlitherConfig

        baseline = project.root / asked.slither.baseline if asked.slither.baseline else None
        yield Slither(SlitherConfig(asked.slither.fail_on, baseline, asked.slither.exclude))


@dataclass(frozen=True)
class Judge:
    """Runs the gates side by side; all must pass."""

    project: Project
    made: Made
    progress: Progress
    reuse: bool = True
    title: str = "judging: tests and Slither"

    def run(self) -> tuple[GateResult, ...]:
        results: tuple[GateResult, ...] = ()
        compiled = self.made.compiled
        if compiled is not None:
            gates = list(chosen_gates(self.project))
            results = run_gates(gates, compiled, progress=self.progress, reuse=self.reuse)
        asked = self.project.gates.program_tests
        if asked is not None and self.made.bundle.programs:
            from pipeline.gates.program_tests import run_program_tests  # start-up: few projects have programs

            results += (run_program_tests(self.project, self.made.bundle, asked, self.progress),)
        return results

    def summary(self, result: Sequence[GateResult]) -> str:
        return "; ".join(f"{r.name} {r.status}" for r in result) or "the project asks for no gates"
