"""The lease of one target: who works on it, under which fencing number, and whether they still show signs of life.

    <prefix>/targets/<target>/lease.json

    {"beat":7,"fence":3,"holder":{…} or null,"kind":"contract-ship/lease","run":…,"schema":1}

Every change is conditional on the tag of what was read (``If-Match``), so each takeover happens once. ``fence`` grows with
every holder and never goes back. A holder adds to ``beat`` again and again. Nobody's clock is compared with another's:
who wants a lease that is held watches until ``beat`` has stood still for the lease time by its own monotonic clock. What
the lease promises is that runs do not trouble each other; that a row is written by one of them alone is promised by the
segments (decision 30), so a holder that was wrongly taken for dead loses, and sends nothing more.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from chains.base import Clock
from chains.canonical import pretty
from chains.errors import Where
from chains.jsontext import read_json
from pipeline.state.shared.bucket import Bucket
from pipeline.state.shared.errors import SharedStateDamaged, SharedStateUnreachable, TargetHeld
from pipeline.state.shared.holder import Holder

__all__ = ["Lease", "LeaseState", "lease_key", "read_lease"]

KIND = "contract-ship/lease"
BEATS = 6
"""Signs of life in a lease time: some may be lost."""


def lease_key(target: str) -> str:
    return f"targets/{target}/lease.json"


@dataclass(frozen=True)
class LeaseState:
    """The object as it is. ``run`` tells one holding from every other, so that no two ever write the same bytes."""

    fence: int
    beat: int
    run: str
    holder: Holder | None

    def to_bytes(self) -> bytes:
        holder = self.holder.to_json() if self.holder else None
        return pretty(
            {"beat": self.beat, "fence": self.fence, "holder": holder, "kind": KIND, "run": self.run, "schema": 1}
        )


def read_lease(bucket: Bucket, target: str) -> tuple[LeaseState, str] | None:
    """The lease and its tag; ``None`` where there never was one. Raises ``SharedStateDamaged``, and what asking raises."""
    stored = bucket.get(lease_key(target))
    if stored is None:
        return None
    try:
        data: Any = read_json(stored.data)
        if (
            data["kind"] != KIND
            or data["schema"] != 1
            or type(data["fence"]) is not int
            or type(data["beat"]) is not int
        ):
            raise ValueError("another kind of object")
        holder = Holder.from_json(data["holder"]) if data["holder"] is not None else None
        return LeaseState(data["fence"], data["beat"], str(data["run"]), holder), stored.etag
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise SharedStateDamaged(
            f"the lease of {target} cannot be read: {error}",
            where=Where(lease_key(target)),
            remedy="Restore that object's earlier version in the bucket.",
        ) from error


class Lease:
    """One target's lease, wanted or held by this run. ``lost`` is set when it was found to be another's."""

    def __init__(self, bucket: Bucket, target: str, holder: Holder, run: str, lease_s: float, clock: Clock) -> None:
        self._bucket = bucket
        self._target = target
        self._run = run
        self._lease_s = lease_s
        self._clock = clock
        self._mine = LeaseState(0, 0, run, holder)
        self._etag = ""
        self._over = threading.Event()
        self._beating: threading.Thread | None = None
        self._changing = threading.Lock()
        self.lost = False

    @property
    def fence(self) -> int:
        return self._mine.fence

    # -- taking ----------------------------------------------------------------------------------------------------

    def take(self, waits: Callable[[str], None], *, by_force: bool = False) -> None:
        """Hold it, with a fencing number above that of every holder before.

        A holder that shows no sign of life for the lease time is taken over; ``by_force`` any holder, at once. Raises ``TargetHeld`` as soon as one does,
        and what asking the bucket raises.
        """
        while True:
            found = read_lease(self._bucket, self._target)
            if found is None:
                wanted = replace(self._mine, fence=1)
                etag = self._bucket.create(lease_key(self._target), wanted.to_bytes())
            else:
                state, tag = found
                if state.holder is not None and not by_force and not self._was_mine(state.holder):
                    self._watch(state, state.holder, waits)
                wanted = replace(self._mine, fence=state.fence + 1)
                etag = self._bucket.replace(lease_key(self._target), wanted.to_bytes(), tag)
            if etag is not None:
                self._mine, self._etag = wanted, etag
                return

    def _was_mine(self, holder: Holder) -> bool:
        """Whether it was held from this very folder: whoever did is dead, for this run has the folder's own lock."""
        mine = self._mine.holder
        return mine is not None and not holder.by_hand and holder.place == mine.place

    def _watch(self, state: LeaseState, holder: Holder, waits: Callable[[str], None]) -> None:
        """Return when the lease has stood still for its time, or is free. Raises ``TargetHeld``."""
        if holder.by_hand:
            raise self.held_by(holder)
        waits(f"{self._target} is held by {holder}; taken over if that shows no sign of life for {self._lease_s:g} s")
        still_until_s = self._clock.monotonic_s() + self._lease_s
        while self._clock.monotonic_s() < still_until_s:
            self._clock.sleep_s(min(self._lease_s / (2 * BEATS), max(still_until_s - self._clock.monotonic_s(), 0.0)))
            found = read_lease(self._bucket, self._target)
            if found is None or found[0].holder is None:
                return
            if (found[0].run, found[0].beat) != (state.run, state.beat):
                raise self.held_by(found[0].holder)

    def held_by(self, holder: Holder) -> TargetHeld:
        if holder.by_hand:
            remedy = f"`ship state unlock --chain {self._target}` gives it back; --force if whoever locked it cannot."
        else:
            remedy = "Wait for it, or stop it. A run that died is taken over by itself once its lease time has passed."
        return TargetHeld(
            f"{self._target} is held by {holder}",
            where=Where(f"{self._bucket.name}/{lease_key(self._target)}"),
            remedy=remedy,
        )

    # -- holding ---------------------------------------------------------------------------------------------------

    def beat(self) -> None:
        """Show signs of life from now on, in a thread, until ``give_back``."""
        self._beating = threading.Thread(target=self._work, daemon=True, name=f"lease of {self._target}")
        self._beating.start()

    def _work(self) -> None:
        while not self._over.wait(self._lease_s / BEATS):
            try:
                self._change(lambda mine: replace(mine, beat=mine.beat + 1))
            except SharedStateUnreachable:
                continue  # the next row finds out whether anybody else took it
            if self.lost:
                return

    def raise_above(self, fence: int) -> None:
        """Have a number above ``fence``: for a lease that began anew because somebody removed it."""
        self._change(lambda mine: replace(mine, fence=max(mine.fence, fence + 1)))

    def _change(self, change: Callable[[LeaseState], LeaseState]) -> None:
        """Write a change of what is this run's, or set ``lost``."""
        with self._changing:
            for _ in range(2):
                wanted = change(self._mine)
                etag = self._bucket.replace(lease_key(self._target), wanted.to_bytes(), self._etag)
                if etag is not None:
                    self._mine, self._etag = wanted, etag
                    return
                # Ours all the same when an earlier change landed after it was given up: then once more, from there.
                found = read_lease(self._bucket, self._target)
                if found is None or found[0].run != self._run:
                    break
                self._mine, self._etag = found
            self.lost = True

    def give_back(self) -> None:
        """Free it, if it is still this run's. One that cannot be given back is taken over when its time has passed."""
        self._over.set()
        if self._beating is not None:
            self._beating.join()
        if self.lost or not self._etag:
            return
        try:
            self._change(lambda mine: replace(mine, beat=mine.beat + 1, holder=None))
        except SharedStateUnreachable:
            return
