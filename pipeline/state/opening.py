"""A target's journal opened, wherever its state is kept. The one place that chooses between local and shared state."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from chains.base import Clock, Row
from pipeline.journal import Journal, read_rows
from pipeline.lock import TargetLocked, locked
from pipeline.manifest.project import Project
from pipeline.manifest.target import Target
from pipeline.reaching import is_embedded
from pipeline.state.local import TargetState
from pipeline.ui.base import Ui

__all__ = ["is_shared", "opened_for_reading", "opened_for_writing"]


def is_shared(project: Project, target: Target) -> bool:
    """Whether other machines work with this target's state too: never for a chain that lives on this machine alone."""
    return project.spec.state.backend == "s3" and not is_embedded(target)


@contextmanager
def opened_for_writing(
    project: Project, target: Target, state: TargetState, ui: Ui, clock: Clock, purpose: str
) -> Iterator[Journal]:
    """The journal to append to; the caller holds the folder's lock. With shared state the lease is held meanwhile.

    Raises ``JournalCorrupt``, ``JournalUnwritable``; for shared state also what ``SharedWriter.begin`` raises.
    """
    journal = Journal(state.journal)
    try:
        if not is_shared(project, target):
            yield journal
            return
        from pipeline.state.shared.opening import writing  # start-up: boto3, for shared state alone

        with writing(project, state, ui, clock, purpose, journal):
            yield journal
    finally:
        journal.close()


def opened_for_reading(project: Project, target: Target, state: TargetState, ui: Ui, purpose: str) -> Sequence[Row]:
    """What the journal says; with shared state it is brought up to date first, unless a run of this folder does that.

    Raises ``JournalCorrupt``; for shared state also what ``pull`` raises.
    """
    if is_shared(project, target):
        from pipeline.state.shared.opening import refresh

        with suppress(TargetLocked), locked(state.lock, purpose):
            refresh(project, state)
    return read_rows(state.journal, state.journal.read_bytes())[0] if state.journal.exists() else []
