"""A step of the pipeline, and the one place where every step is timed, logged and its errors are shown."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol, TypeVar

from pipeline.ui.base import Ui

__all__ = ["Runner", "Skip", "Step"]

Result = TypeVar("Result")


@dataclass(frozen=True)
class Skip:
    """Why a step has nothing to do."""

    reason: str


class Step(Protocol[Result]):
    """One small thing. ``title`` is a gerund phrase; ``summary`` says in a few words what came out.

    ``run`` raises ``ShipError`` subclasses only.
    """

    @property
    def title(self) -> str: ...

    def run(self) -> Result: ...

    def summary(self, result: Result) -> str: ...


@dataclass(frozen=True)
class Runner:
    """Runs steps in the order ``run.py`` lists them."""

    ui: Ui

    def __call__(self, step: Step[Result]) -> Result:
        self.ui.step_started(step.title)
        began_s = time.monotonic()
        try:
            result = step.run()
        except BaseException:
            self.ui.step_failed(step.title, time.monotonic() - began_s)
            raise
        self.ui.step_done(step.title, step.summary(result), time.monotonic() - began_s)
        return result

    def skip(self, title: str, why: Skip) -> None:
        self.ui.step_skipped(title, why.reason)
