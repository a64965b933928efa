"""Running the gates side by side. All must pass; a gate that could not run has failed."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chains.base import Progress
from chains.errors import Refused, ShipError, printable
from chains.processes import ProcessGroup
from pipeline.building import Built, ensure_compiled, exclusive
from pipeline.gates.base import Gate, GateContext, GateResult, Verdict
from pipeline.gates.cache import GateCache, judged_digest

__all__ = ["GatesFailed", "run_gates"]


class GatesFailed(Refused):
    """SHIP-G02: at least one gate did not pass. ``results`` holds all of them."""

    code = "SHIP-G02"

    def __init__(self, results: tuple[GateResult, ...]) -> None:
        failed = [result for result in results if result.status != "passed"]
        parts = []
        for result in failed:
            parts.append(f"{result.name}: {result.summary}")
            parts += [f"  {line}" for detail in result.details for line in detail.splitlines()]
        cause = "\n".join(parts)
        super().__init__(
            cause,
            remedy="Repair what is named and run again"
            + (
                "; an accepted Slither finding goes into the baseline, with a reason and a name."
                if _slither(failed)
                else "."
            ),
        )
        self.cause = printable(cause, 12_000)  # every failing test is worth its line
        self.results = results


def _slither(failed: Sequence[GateResult]) -> bool:
    return any(result.name == "slither" for result in failed)


@dataclass(frozen=True)
class _Job:
    gate: Gate
    question: Mapping[str, Any]


def run_gates(
    gates: Sequence[Gate],
    built: Built,
    *,
    progress: Progress | None = None,
    group: ProcessGroup | None = None,
    reuse: bool = True,
) -> tuple[GateResult, ...]:
    """Every gate's result, in the order given, all of them passes. Raises ``GatesFailed`` when one is not.

    A pass of an earlier run over the very same bytes is reused (``earlier``) unless ``reuse`` is off.
    """
    work = built.recipe.work
    cache = GateCache(work / "cache" / "gates", work / "gates", built.workspace.root)
    jobs = [_Job(gate, gate.question(built.bundle, built.workspace)) for gate in gates]
    results: dict[str, GateResult] = {}

    def take_earlier() -> list[_Job]:
        for job in jobs:
            found = cache.find(job.gate.name, job.question) if reuse and job.gate.name not in results else None
            if found is not None:
                results[job.gate.name] = found
                _tell(progress, found)
        return [job for job in jobs if job.gate.name not in results]

    if take_earlier():
        with exclusive(work, progress):
            due = take_earlier()  # another run may have judged meanwhile
            if due:
                ready = ensure_compiled(built, progress=progress, group=group)
                results.update(_side_by_side(due, ready, cache, progress, group or ProcessGroup()))
    ordered = tuple(results[job.gate.name] for job in jobs)
    if any(result.status != "passed" for result in ordered):
        raise GatesFailed(ordered)
    return ordered


def _side_by_side(
    jobs: Sequence[_Job], built: Built, cache: GateCache, progress: Progress | None, group: ProcessGroup
) -> dict[str, GateResult]:
    results = {}
    with ThreadPoolExecutor(max_workers=len(jobs), thread_name_prefix="gate") as pool:
        futures = [pool.submit(_judge, job, built, cache, progress, group) for job in jobs]
        try:
            for future in futures:
                result = future.result()
                results[result.name] = result
        except BaseException:
            group.stop()  # Ctrl-C: the threads end when their programs do
            raise
    return results


def _judge(job: _Job, built: Built, cache: GateCache, progress: Progress | None, group: ProcessGroup) -> GateResult:
    name = job.gate.name
    home = _emptied(cache.home(name, job.question))
    if progress is not None:
        progress.item(name, "running")
    began_s = time.monotonic()
    try:
        verdict = job.gate.run(GateContext(built.bundle, built.workspace, home, group))
    except ShipError as error:
        verdict = Verdict("failed", "could not be run", (error.cause, error.remedy), reusable=False)
    result = GateResult(
        name=name,
        status=verdict.status,
        summary=verdict.summary,
        details=verdict.details,
        judged=judged_digest(name, job.question, verdict.read),
        duration_s=time.monotonic() - began_s,
        files=tuple(home / file for file in verdict.files),
    )
    cache.keep(name, job.question, verdict, result)
    _tell(progress, result)
    return result


def _emptied(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _tell(progress: Progress | None, result: GateResult) -> None:
    if progress is not None:
        progress.item(result.name, "passed earlier" if result.earlier else result.status, result.summary)
