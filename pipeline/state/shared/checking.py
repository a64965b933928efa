"""``ship state fsck``: everything in the bucket read and held against itself and against this folder."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from chains.canonical import sha256_hex
from chains.errors import ShipError
from pipeline.manifest.state_spec import StateSpec
from pipeline.state.local import TargetState
from pipeline.state.shared.bucket import Bucket
from pipeline.state.shared.errors import SharedStateDamaged, SharedStateRefused
from pipeline.state.shared.files import object_key
from pipeline.state.shared.lease import read_lease
from pipeline.state.shared.pulling import compared
from pipeline.state.shared.segments import Chain, log_after

__all__ = ["Finding", "check"]

_AT_ONCE = 8


@dataclass(frozen=True)
class Finding:
    """``wrong`` is something to mend; the others tell what was seen."""

    wrong: bool
    text: str


def check(state: TargetState, bucket: Bucket, spec: StateSpec) -> Iterator[Finding]:
    """Every finding, as it is made. Raises what asking the bucket raises; damage is a finding."""
    yield from _settings(bucket, spec)
    try:
        found = read_lease(bucket, state.name)
        held = f"held by {found[0].holder}" if found and found[0].holder else "free"
        yield Finding(False, f"lease: {held}, fencing number {found[0].fence if found else 0}")
        chain, _ = log_after(bucket, state.name, Chain())
    except SharedStateDamaged as error:
        yield Finding(True, f"{error.cause} ({error.where})")
        return
    if found is not None and found[0].fence < chain.fence:
        yield Finding(
            True, f"lease: its number {found[0].fence} is below {chain.fence}, under which the log was written"
        )
    yield Finding(
        False,
        f"log: {chain.segments} segments without a gap, {chain.rows} rows, hash chain whole, head {chain.head[:12]}",
    )
    yield from _objects(bucket, chain)
    yield from _local(state, bucket)


def _settings(bucket: Bucket, spec: StateSpec) -> Iterator[Finding]:
    kept, sealed = bucket.versioning(), bucket.encryption()
    yield Finding(kept != "Enabled" and spec.require_versioning, f"versioning: {kept or 'not shown by the service'}")
    try:
        bucket.hold_to_conditions()
        yield Finding(False, "conditional writes: honoured")
    except SharedStateRefused as error:
        yield Finding(True, error.cause)
    yield Finding(False, f"encryption: {spec.sse or sealed or 'not shown by the service'}")


def _objects(bucket: Bucket, chain: Chain) -> Iterator[Finding]:
    def sound(one: tuple[str, str]) -> bool:
        stored = bucket.get(object_key(one[1]))
        return stored is not None and sha256_hex(stored.data) == one[1]

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        answers = list(zip(chain.files.items(), pool.map(sound, chain.files.items()), strict=True))
    for (path, digest), good in answers:
        if not good:
            yield Finding(True, f"files: the content of {path} ({digest[:12]}) is missing or changed")
    yield Finding(False, f"files: {sum(good for _, good in answers)} of {len(answers)} whole")


def _local(state: TargetState, bucket: Bucket) -> Iterator[Finding]:
    try:
        difference = compared(state, bucket)
    except ShipError as error:
        yield Finding(True, f"this folder: {error.cause}")
        return
    behind = difference.missing.count(b"\n")
    if difference.fork is not None:
        yield Finding(
            True,
            f"this folder: row {difference.fork} of the local journal is another; `ship state pull --replace` takes the bucket's",
        )
    elif difference.ahead:
        yield Finding(
            True, f"this folder: {difference.ahead} rows are not in the bucket; `ship state push` puts them there"
        )
    elif behind:
        yield Finding(False, f"this folder: {behind} rows behind; `ship state pull` brings them")
    else:
        yield Finding(False, "this folder: the same")
