"""One run at work on shared state: every group of rows is a segment in the bucket before it is a line in the local file."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from chains.base import Row
from chains.errors import ShipError, Where
from pipeline.journal import Journal
from pipeline.state.local import TargetState
from pipeline.state.shared.bucket import Bucket
from pipeline.state.shared.errors import SharedStateUnreachable, TakenOver
from pipeline.state.shared.files import SharedFiles
from pipeline.state.shared.lease import Lease, read_lease
from pipeline.state.shared.marker import save_marker
from pipeline.state.shared.pulling import compared, pull
from pipeline.state.shared.segments import Chain, made, parsed, segment_key

__all__ = ["SharedWriter"]

_PUSHED_AT_ONCE = 200


class SharedWriter:
    """The log of one target, to be written to by the holder of its lease.

    After a write that failed it takes nothing more: whether that one landed is for the next run to read.
    """

    def __init__(
        self, state: TargetState, bucket: Bucket, lease: Lease, run: str, *, bundles: bool, tell: Callable[[str], None]
    ) -> None:
        self._state = state
        self._bucket = bucket
        self._lease = lease
        self._run = run
        self._bundles = bundles
        self._tell = tell
        self.files = SharedFiles(state, bucket)
        self.chain = Chain()
        self._closed = True  # until the lease is held and the log read

    def begin(self, journal: Journal, *, by_force: bool = False, push: bool = False) -> int:
        """Take the lease, read what the bucket holds, and close the log to every holder before.

        The last by a segment of this run's fencing number: whoever wrote the log until now had the same number in mind
        for the next segment, and finds it taken. With ``push`` rows that only the local journal has are written next; gives
        how many. Raises ``TargetHeld``, ``LocalAhead``, ``LocalDiverged``, ``SharedStateDamaged`` and what asking the
        bucket raises.
        """
        self._lease.take(self._tell, by_force=by_force)
        self._lease.beat()
        while True:
            ahead = compared(self._state, self._bucket) if push else None
            if ahead is not None and ahead.ahead and ahead.fork is None:
                self.chain = ahead.chain
            else:
                self.chain = pull(self._state, self._bucket, self.files, journal)
            if self.chain.fence >= self._lease.fence:
                # Either another took the lease since, which raising its number finds out, or it was removed by hand.
                self._lease.raise_above(self.chain.fence)
                if self._lease.lost:
                    raise self._taken_over()
            if self.chain.segments == 0:
                self._bucket.hold_to_conditions()  # once for a log: everything rests on them
            if self._written({}, b""):
                break
        self._closed = False
        pushed = self._push(journal)
        journal.write_first(self.accept)
        return pushed

    def _push(self, journal: Journal) -> int:
        """Write the rows that the local journal has beyond the bucket's."""
        rows = journal.rows[self.chain.rows :]
        lines = journal.path.read_bytes().split(b"\n")[self.chain.rows :]
        for start in range(0, len(rows), _PUSHED_AT_ONCE):
            group = slice(start, start + _PUSHED_AT_ONCE)
            self.accept(rows[group], b"".join(line + b"\n" for line in lines[group][: len(rows[group])]), journal.head)
        return len(rows)

    def accept(self, rows: Sequence[Row], lines: bytes, head: str) -> None:
        """Have a group of rows in the bucket. Raises ``TakenOver``, ``SharedStateUnreachable``, ``SharedStateRefused``."""
        new = [row.data["bundle"] for row in rows if row.kind == "plan.accepted"] if self._bundles else []
        self._put(self.files.changed(self.chain.files, new), lines)

    def end(self) -> None:
        """What lies beside the journal and came after its last row, and how far this folder has read."""
        if self._closed or self._lease.lost:
            return
        try:
            files = self.files.changed(self.chain.files)
            if files:
                self._put(files, b"")
        except ShipError as error:  # the run's own outcome counts more
            self._tell(
                f"files beside the journal are not in the bucket yet; the next run puts them there ({error.cause})"
            )
            return
        save_marker(self._state, self._bucket.name, self.chain)

    def _put(self, files: dict[str, str], lines: bytes) -> None:
        if self._closed or self._lease.lost:
            raise self._taken_over()
        self._closed = True  # until it is known to have landed
        if not self._written(files, lines):
            raise self._taken_over()
        self._closed = False

    def _written(self, files: dict[str, str], lines: bytes) -> bool:
        """Whether the next segment is ours now."""
        data = made(self.chain, fence=self._lease.fence, run=self._run, files=files, lines=lines)
        key = segment_key(self._state.name, self.chain.segments)
        if self._bucket.create(key, data) is None:
            return False
        self.chain, _ = self.chain.then(parsed(key, data), key)
        return True

    def _taken_over(self) -> TakenOver:
        try:
            found = read_lease(self._bucket, self._state.name)
        except SharedStateUnreachable:
            found = None
        holder = found[0].holder if found is not None and found[0].run != self._run else None
        by = f"taken over by {holder}" if holder else "written to by another run"
        return TakenOver(
            f"{self._state.name} was {by} while this run was at work",
            done="What needed the row that was refused was not done: nothing more was signed or sent.",
            remedy="Run the same command again once the other has ended: it goes on from what that one left.",
            where=Where(self._bucket.name),
        )
