"""Shared state opened for a run: the bucket looked at, the lease held, the local journal brought up to date."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from chains.base import Clock
from pipeline.journal import Journal
from pipeline.manifest.project import Project
from pipeline.state.local import TargetState
from pipeline.state.shared.bucket import Bucket
from pipeline.state.shared.errors import NotVersioned
from pipeline.state.shared.files import SharedFiles
from pipeline.state.shared.holder import this_run
from pipeline.state.shared.lease import Lease
from pipeline.state.shared.pulling import pull
from pipeline.state.shared.writer import SharedWriter
from pipeline.ui.base import Ui

__all__ = ["bucket_of", "refresh", "writing"]


def bucket_of(project: Project) -> Bucket:
    """The bucket ``ship.toml`` names; nothing is asked yet."""
    spec = project.spec.state
    return Bucket(spec, spec.prefix or project.name)


@contextmanager
def writing(
    project: Project, state: TargetState, ui: Ui, clock: Clock, purpose: str, journal: Journal
) -> Iterator[SharedWriter]:
    """``journal`` shared while the block runs: its lease held, each of its rows in the bucket first.

    Raises what ``SharedWriter.begin`` raises, and ``NotVersioned``.
    """
    spec, bucket = project.spec.state, bucket_of(project)
    hold_to_versioning(bucket, require=spec.require_versioning, tell=ui.note)
    run = secrets.token_hex(16)
    lease = Lease(bucket, state.name, this_run(purpose, state.lock), run, float(spec.lease_s), clock)
    writer = SharedWriter(state, bucket, lease, run, bundles=spec.bundles, tell=ui.note)
    try:
        writer.begin(journal)
        yield writer
    finally:
        writer.end()
        lease.give_back()


def hold_to_versioning(bucket: Bucket, *, require: bool, tell: Callable[[str], None]) -> None:
    """Warn of a bucket that forgets what is written over, or refuse it. Raises ``NotVersioned``."""
    kept = bucket.versioning()
    if kept == "Enabled":
        return
    what = "does not say whether it keeps earlier versions" if kept is None else f"keeps no earlier versions ({kept})"
    if require:
        raise NotVersioned(
            f"{bucket.name} {what}, and require-versioning = true asks for them",
            remedy="Enable versioning on the bucket (and allow s3:GetBucketVersioning), or drop require-versioning.",
        )
    tell(f"{bucket.name} {what}: what is deleted there by mistake is gone. Enable versioning on the bucket")


def refresh(project: Project, state: TargetState, *, every_bundle: bool = False) -> None:
    """Bring the local journal and the files beside it up to date; the caller has the folder's lock. Raises as ``pull``."""
    bucket = bucket_of(project)
    was_there = state.journal.exists()
    journal = Journal(state.journal)
    try:
        pull(state, bucket, SharedFiles(state, bucket), journal, every_bundle=every_bundle)
    finally:
        journal.close()
        if not was_there and not journal.rows:  # looking at a target that was never released to leaves no journal
            state.journal.unlink()
