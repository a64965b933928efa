"""``ship promote``, up to the point where a deployment takes over."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from chains.base import Clock, SystemClock
from pipeline.manifest.project import load_project
from pipeline.manifest.target import list_targets, load_target
from pipeline.options import Candidate
from pipeline.promotion.commits import SameCommit
from pipeline.promotion.finding import Fetching, Holding
from pipeline.promotion.judging import Judging
from pipeline.promotion.soaking import Soaking, utc_now
from pipeline.promotion.versions import final_version
from pipeline.released.fetching import open_repository
from pipeline.step import Runner
from pipeline.ui.base import Ui

__all__ = ["Promotion", "ready_candidate"]


@dataclass(frozen=True)
class Promotion:
    """What was asked for. ``names`` is empty for every target; ``local``: the candidate is in this project's store."""

    tag: str
    to: str | None
    names: Sequence[str]
    local: bool = False


def ready_candidate(
    root: Path, asked: Promotion, ui: Ui, *, clock: Clock | None = None, now: Callable[[], datetime] = utc_now
) -> Candidate:
    """The candidate, fit to be deployed. Raises what the errors of ``promotion`` say; nothing was sent then."""
    clock = clock or SystemClock()
    tag, version = final_version(asked.tag, asked.to)
    project = load_project(root)
    spec = project.spec
    destinations = tuple(asked.names) or list_targets(project)
    for name in destinations:
        load_target(project, name)  # a misspelt target is better said before anything is downloaded
    step = Runner(ui)
    repository = None if asked.local else open_repository(root, spec.github, spec.release.remote, ui, clock)
    package = step(Fetching(project, tag, repository, ui, clock))
    contents = step(Holding(project, package))
    commit = str(contents.commit)
    step(SameCommit(project, tag, f"v{version}", commit, repository))
    step(Soaking(project, contents, destinations, ui, clock, now))
    bundle = contents.bundles[str(contents.records[0].record["bundle"])]
    gates = step(Judging(project, contents, bundle, ui))
    return Candidate(tag, version, commit, bundle, gates)
