"""Publications to the local node for tests, of a program that was really deployed to it."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from typing import Any

from chains.solana.lifecycle import UnitState
from chains.solana.metadata.plan import PlannedMetadata, plan_metadata
from chains.solana.publication import Publication, Publishing
from tests.support.solana_release import LocalKey, Quiet, Release, SlotClock

__all__ = ["document", "plan_document", "publish"]


def document(words: int, seed: int = 0) -> bytes:
    """JSON that compresses about as little as names and docs do."""
    draw = random.Random(seed)
    return json.dumps({"docs": [f"{draw.getrandbits(64):x}" for _ in range(words)]}).encode()


def plan_document(
    release: Release, body: bytes, *, seed: str = "idl", plan: str | None = None, authority: str | None = None
) -> PlannedMetadata:
    return plan_metadata(
        release.cluster(),
        plan or release.plan,
        "counter",
        release.program.address,
        release.payer.address,
        authority or release.authority.address,
        seed,
        body,
    )


def publish(
    release: Release,
    publication: Publication | None,
    *,
    urls: Sequence[str] = (),
    kill_after: int | None = None,
    keys: Sequence[LocalKey] = (),
    each: Callable[[], None] = lambda: None,
    **settings: Any,
) -> UnitState:
    """One run, with a journal opened from the file."""
    assert publication
    clock = SlotClock(release.node, release.blocks, each=each)
    signers = {one.address: one for one in (release.payer, release.authority, *keys)}
    cluster = release.cluster(urls, clock)
    journal = release.journal(kill_after)
    return Publishing(cluster, journal, clock, Quiet(), release.settings, publication, signers).run()
