"""What ``ship state`` does with one target."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from chains.base import SystemClock
from chains.canonical import sha256_hex
from chains.errors import Where
from pipeline.journal import Journal
from pipeline.lock import locked
from pipeline.manifest.project import Project, load_project
from pipeline.manifest.target import list_targets, load_target
from pipeline.state.local import ProjectState, TargetState
from pipeline.state.opening import is_shared
from pipeline.state.shared.bucket import Bucket
from pipeline.state.shared.checking import Finding, check
from pipeline.state.shared.errors import NotHeld, NotShared
from pipeline.state.shared.holder import Holder, this_run
from pipeline.state.shared.lease import Lease, read_lease
from pipeline.state.shared.opening import bucket_of, refresh
from pipeline.state.shared.pulling import compared
from pipeline.state.shared.writer import SharedWriter

__all__ = ["SharedTarget", "shared_targets"]


def shared_targets(root: Path, only: str | None) -> list[SharedTarget]:
    """Every target with shared state, or the one called ``only``. Raises ``NotShared``."""
    project = load_project(root)
    names = [only] if only is not None else list(list_targets(project))
    found = [SharedTarget(project, name) for name in names if is_shared(project, load_target(project, name))]
    if not found:
        raise NotShared(
            f"the state of {only or 'every target'} is local",
            where=Where("ship.toml", key="state"),
            remedy='Set [state] backend = "s3" for shared state; a chain that ship runs itself has none.',
        )
    return found


@dataclass(frozen=True)
class SharedTarget:
    """One target of a project whose state is shared."""

    project: Project
    name: str

    @property
    def _state(self) -> TargetState:
        return ProjectState(self.project.root).target(self.name)

    @property
    def _bucket(self) -> Bucket:
        return bucket_of(self.project)

    def pull(self, *, replace: bool) -> Path | None:
        """Bring this folder up to date. With ``replace`` a local journal that says something else is put aside; gives where."""
        state, aside = self._state, None
        with locked(state.lock, f"ship state pull --chain {self.name}"):
            if replace:
                difference = compared(state, self._bucket)
                if difference.fork is not None or difference.ahead:
                    digest = sha256_hex(state.journal.read_bytes())
                    aside = state.journal.with_name(f"{state.journal.name}.aside-{digest[:12]}")
                    state.journal.rename(aside)
            refresh(self.project, state, every_bundle=True)
        return aside

    def push(self, tell: Callable[[str], None]) -> int:
        """Put rows and files in the bucket that only this folder has; gives the number of rows."""
        with self._written(f"ship state push --chain {self.name}", tell) as (writer, journal):
            return writer.begin(journal, push=True)

    def lock(self, reason: str) -> None:
        """Hold the target until ``unlock``. Raises ``TargetHeld``."""
        state = self._state
        with locked(state.lock, f"ship state lock --chain {self.name}"):
            holder = this_run(reason, state.lock, by_hand=True)
            self._lease(holder, secrets.token_hex(16)).take(lambda _: None)

    def holder(self) -> Holder:
        """Who holds the target. Raises ``NotHeld``."""
        found = read_lease(self._bucket, self.name)
        if found is None or found[0].holder is None:
            raise NotHeld(f"nobody holds {self.name}", remedy="There is nothing to unlock.")
        return found[0].holder

    def unlock(self, tell: Callable[[str], None]) -> None:
        """Take the target from whoever holds it, close the log to them, and give it back."""
        with self._written(f"ship state unlock --chain {self.name}", tell) as (writer, journal):
            writer.begin(journal, by_force=True)

    def check(self) -> Iterator[Finding]:
        state = self._state
        with locked(state.lock, f"ship state fsck --chain {self.name}"):
            yield from check(state, self._bucket, self.project.spec.state)

    def is_mine(self, holder: Holder) -> bool:
        """Whether this person, on this machine, locked it by hand."""
        me = this_run("", self._state.lock)
        return holder.by_hand and (holder.who, holder.host) == (me.who, me.host)

    def _lease(self, holder: Holder, run: str) -> Lease:
        return Lease(self._bucket, self.name, holder, run, float(self.project.spec.state.lease_s), SystemClock())

    @contextmanager
    def _written(self, purpose: str, tell: Callable[[str], None]) -> Iterator[tuple[SharedWriter, Journal]]:
        state, run = self._state, secrets.token_hex(16)
        with locked(state.lock, purpose):
            lease = self._lease(this_run(purpose, state.lock), run)
            bundles = self.project.spec.state.bundles
            writer = SharedWriter(state, self._bucket, lease, run, bundles=bundles, tell=tell)
            journal = Journal(state.journal)
            try:
                yield writer, journal
            finally:
                writer.end()
                lease.give_back()
                journal.close()
