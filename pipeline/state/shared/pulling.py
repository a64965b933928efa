"""The bucket's journal brought into this folder: the local file becomes what the bucket holds, or it is said why not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from chains.base import Row
from chains.errors import Where
from chains.jsontext import read_json
from pipeline.journal import GENESIS, Journal, read_rows
from pipeline.state.local import TargetState
from pipeline.state.shared.bucket import Bucket
from pipeline.state.shared.errors import LocalAhead, LocalDiverged
from pipeline.state.shared.files import SharedFiles, bundle_of
from pipeline.state.shared.marker import load_marker, save_marker
from pipeline.state.shared.segments import Chain, log_after

__all__ = ["Difference", "compared", "pull"]

_BUNDLES = 3
"""Of so many releases the bundles come along by themselves: what is under way, what is live, what a way back needs."""


@dataclass(frozen=True)
class Difference:
    """``missing`` are the bucket's lines the local journal lacks, ``ahead`` rows that only the local one has.

    ``chain`` is the whole log; ``fork`` the row, from 1, at which the two part.
    """

    chain: Chain
    known: Chain
    missing: bytes
    ahead: int
    fork: int | None


def compared(state: TargetState, bucket: Bucket) -> Difference:
    """The local journal held against the bucket's. Raises ``SharedStateDamaged`` and what asking the bucket raises."""
    here = _local_lines(state)
    known = load_marker(state, bucket.name)
    if known.rows > len(here) or (known.rows and _hash(here[known.rows - 1]) != known.head):
        known = Chain()
    chain, segments = log_after(bucket, state.name, known)
    there = [line for segment in segments for line in segment.lines.split(b"\n")[:-1]]
    mine = here[known.rows :]
    for number, (one, other) in enumerate(zip(mine, there, strict=False), start=known.rows + 1):
        if one != other:
            return Difference(chain, known, b"", len(here) - number + 1, number)
    missing = b"".join(line + b"\n" for line in there[len(mine) :])
    return Difference(chain, known, missing, max(len(mine) - len(there), 0), None)


def pull(
    state: TargetState, bucket: Bucket, files: SharedFiles, journal: Journal, *, every_bundle: bool = False
) -> Chain:
    """Bring ``journal`` and the files beside it up to what the bucket holds; the caller has the folder's lock.

    Raises ``LocalAhead``, ``LocalDiverged``, ``SharedStateDamaged`` and what asking the bucket raises.
    """
    difference = compared(state, bucket)
    if difference.fork is not None:
        raise LocalDiverged(
            f"row {difference.fork} of the local journal is another than in {bucket.name}",
            where=Where(str(state.journal), difference.fork),
            remedy=f"`ship state fsck --chain {state.name}` shows both; `ship state pull --chain {state.name} --replace` puts "
            "the local journal aside and takes the bucket's.",
        )
    if difference.ahead:
        raise LocalAhead(
            f"the local journal has {difference.ahead} rows that {bucket.name} lacks",
            where=Where(str(state.journal)),
            remedy=f"`ship state push --chain {state.name}` puts them there, if this folder is where the target was worked on.",
        )
    journal.take(difference.missing)
    chain = difference.chain
    recent = _recent_bundles(journal.rows)
    wanted = {
        path: digest
        for path, digest in chain.files.items()
        if every_bundle or (bundle := bundle_of(path)) is None or bundle in recent
    }
    files.fetch(wanted, difference.known.files)
    save_marker(state, bucket.name, chain)
    return chain


def _recent_bundles(rows: Sequence[Row]) -> set[str]:
    found: list[str] = []
    for row in reversed(rows):
        if row.kind == "plan.accepted" and row.data["bundle"] not in found:
            found.append(row.data["bundle"])
        if len(found) == _BUNDLES:
            break
    return set(found)


def _local_lines(state: TargetState) -> list[bytes]:
    if not state.journal.exists():
        return []
    data = state.journal.read_bytes()
    _, _, used = read_rows(state.journal, data)
    return list(_lines(data[:used]))


def _lines(data: bytes) -> Iterator[bytes]:
    lines = data.split(b"\n")
    yield from (line for line in lines if line)


def _hash(line: bytes) -> str:
    return str(read_json(line).get("hash", GENESIS))
