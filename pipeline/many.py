"""Many targets in one run: side by side within a wave, wave after wave, one failing leaves the others whole.

Sources are built and judged once; then each target has its own lock, journal, chain and outcome.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from chains.base import Clock, SystemClock
from chains.errors import Refused, ShipError
from pipeline.deploying import Interrupted
from pipeline.manifest.project import Project, load_project
from pipeline.manifest.target import Target, list_targets, load_target
from pipeline.options import DeployOptions
from pipeline.outcome import Outcome
from pipeline.releasing import release as release_to
from pipeline.step import Runner
from pipeline.steps.build import Build
from pipeline.steps.gates import Judge
from pipeline.ui.base import Ui
from pipeline.ui.board import Board

__all__ = ["Fleet", "NoTargets", "chosen_waves"]


class NoTargets(Refused):
    """SHIP-T01: no target, or one twice."""

    code = "SHIP-T01"


class WaveStopped(Refused):
    """SHIP-T02: an earlier wave did not come through."""

    code = "SHIP-T02"


class _Stopped(Exception):
    """The run was interrupted while this target waited."""


@dataclass(frozen=True)
class _StoppableClock:
    """Real time; a wait ends at once when the run is interrupted."""

    stop: threading.Event
    clock: Clock = field(default_factory=SystemClock)

    def monotonic_s(self) -> float:
        return self.clock.monotonic_s()

    def sleep_s(self, seconds: float) -> None:
        if self.stop.wait(seconds):
            raise _Stopped


def chosen_waves(project: Project, names: Sequence[str]) -> list[list[str]]:
    """The waves to go through: ``names`` alone is one wave; none means every target, in ``[rollout]``'s order.

    Targets that no wave names come last, together. Raises ``NoTargets``.
    """
    if names:
        twice = [name for name in dict.fromkeys(names) if list(names).count(name) > 1]
        if twice:
            raise NoTargets(f"{', '.join(twice)} is named twice", remedy="Name each target once.")
        return [list(names)]
    known = list(list_targets(project))
    if not known:
        raise NoTargets("the project has no targets", remedy="Add manifests/<target>.toml, or name one with --chain.")
    waves = [list(wave) for wave in project.spec.rollout.waves]
    rest = [name for name in known if not any(name in wave for wave in waves)]
    return [*waves, rest] if rest else waves


@dataclass
class Fleet:
    """``ship deploy`` to several targets. ``run`` gives one outcome a target, whatever happens."""

    root: Path
    names: tuple[str, ...]
    options: DeployOptions
    board_for: Callable[[list[str]], Board]
    ui: Ui
    show_error: Callable[[ShipError], None]
    _stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> list[Outcome]:
        outcomes: dict[str, Outcome] = {name: Outcome(name) for name in self.names}
        try:
            project = self.options.versioned(load_project(self.root))
            waves = chosen_waves(project, self.names)
            outcomes = {name: Outcome(name, version=project.version) for wave in waves for name in wave}
            targets = {name: load_target(project, name) for name in outcomes}
            self._prepare(project, tuple(targets.values()))
            self._waves(project, waves, targets, outcomes)
        except ShipError as error:
            self.ui.close()
            if not outcomes:  # not even which targets there are is known
                raise
            for outcome in outcomes.values():
                outcome.fail(error)
            self.show_error(error)
        except KeyboardInterrupt:
            self.ui.close()
            interrupted = Interrupted("the run was interrupted", remedy="The same command goes on where it was.")
            for outcome in outcomes.values():
                if outcome.error is None and outcome.record is None:
                    outcome.fail(interrupted)
            self.show_error(interrupted)
        return list(outcomes.values())

    def _prepare(self, project: Project, targets: tuple[Target, ...]) -> None:
        """Build and judge once, for all. A candidate's bytes are built and judged already."""
        if self.options.candidate is not None:
            return
        run = Runner(self.ui)
        built = run(Build(project, targets, self.ui))
        run(Judge(project, built, self.ui))
        self.ui.close()

    def _waves(
        self, project: Project, waves: list[list[str]], targets: dict[str, Target], outcomes: dict[str, Outcome]
    ) -> None:
        options = replace(self.options, together=tuple(targets.values()))
        for number, wave in enumerate(waves, start=1):
            failed = [o.target for o in outcomes.values() if o.error is not None]
            if failed:
                stopped = WaveStopped(
                    f"{', '.join(failed)} did not come through, so wave {number} was not begun",
                    remedy="Settle what stopped there, then run the same command again.",
                )
                for name in wave:
                    outcomes[name].fail(stopped)
                continue
            if number > 1 and project.spec.rollout.approve_between and not self._go_on(wave):
                declined = WaveStopped(
                    f"wave {number} ({', '.join(wave)}) was not approved", remedy="Run the same command again to go on."
                )
                for name in wave:
                    outcomes[name].fail(declined)
                continue
            self._wave(project, {name: targets[name] for name in wave}, options, outcomes)

    def _go_on(self, wave: list[str]) -> bool:
        return self.options.yes or bool(self.ui.confirm(f"Go on with {', '.join(wave)}?"))

    def _wave(
        self, project: Project, targets: dict[str, Target], options: DeployOptions, outcomes: dict[str, Outcome]
    ) -> None:
        board = self.board_for(list(targets))
        errors: list[tuple[str, ShipError]] = []

        def release(name: str) -> None:
            clock = _StoppableClock(self._stop)
            try:
                release_to(project, targets[name], options, board.target(name), outcomes[name], clock=clock)
            except ShipError as error:
                outcomes[name].fail(error)
                errors.append((name, error))
            except _Stopped:
                again = "the same command goes on where it was"
                outcomes[name].fail(Interrupted("the run was interrupted", remedy=again))

        try:
            with ThreadPoolExecutor(max_workers=len(targets), thread_name_prefix="target") as pool:
                futures = [pool.submit(release, name) for name in targets]
                try:
                    for future in futures:
                        future.result()
                except BaseException:
                    self._stop.set()
                    raise
        finally:
            board.close()
        for _, error in errors:
            self.show_error(error)
