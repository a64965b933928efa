"""Slots, block heights and blockhashes: pure arithmetic, so that none of it has to be stored slot by slot.

The ledger is a list of segments, each a run of slots with a block in every one. Slots between two segments were skipped:
their blocks were forked away, or nobody made one. A blockhash follows from genesis, fork and slot; a restart gives the
same ones, and a fork other ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

__all__ = ["MAX_AGE_BLOCKS", "Ledger", "Segment"]

MAX_AGE_BLOCKS = 150
"""A blockhash is good for this many blocks after its own (agave: MAX_PROCESSING_AGE)."""


@dataclass(frozen=True)
class Segment:
    """A run of blocks from ``slot`` (of block height ``height``) on."""

    slot: int
    height: int
    fork: int


@dataclass
class Ledger:
    """``head`` is the slot being filled."""

    genesis: bytes
    segments: list[Segment]
    head: int

    @classmethod
    def new(cls, genesis: bytes) -> Ledger:
        return cls(genesis, [Segment(0, 0, 0)], 0)

    def __post_init__(self) -> None:
        self._slots_of_hashes: dict[bytes, int] = {}
        self._remember()

    def _remember(self) -> None:
        """Note every hash that can still be good."""
        first = max(0, self.height() - MAX_AGE_BLOCKS)
        slots = [self.slot_at(height) for height in range(first, self.height() + 1)]
        self._slots_of_hashes = {self.blockhash(slot): slot for slot in slots}

    def _segment(self, slot: int) -> Segment:
        return next(s for s in reversed(self.segments) if s.slot <= slot)

    def height(self, slot: int | None = None) -> int:
        """The block height at ``slot`` (of the last block before it, if it was skipped)."""
        slot = self.head if slot is None else slot
        segment = self._segment(slot)
        following = next((s for s in self.segments if s.slot > slot), None)
        height = segment.height + slot - segment.slot
        return min(height, following.height - 1) if following else height

    def slot_at(self, height: int) -> int:
        """The slot of the block with this height; the genesis block's for what lies before it."""
        segment = next((s for s in reversed(self.segments) if s.height <= height), self.segments[0])
        return segment.slot + max(0, height - segment.height)

    def has_block(self, slot: int) -> bool:
        return 0 <= slot <= self.head and self.slot_at(self.height(slot)) == slot

    def before(self, blocks: int) -> int:
        """The slot ``blocks`` blocks behind the head."""
        return self.slot_at(max(0, self.height() - blocks))

    def blockhash(self, slot: int) -> bytes:
        fork = self._segment(slot).fork
        return sha256(b"block" + self.genesis + fork.to_bytes(8, "big") + slot.to_bytes(8, "big")).digest()

    def last_valid_height(self, slot: int) -> int:
        return self.height(slot) + MAX_AGE_BLOCKS

    def is_valid(self, blockhash: bytes, view: int) -> bool:
        """Whether a transaction with this hash can land, as seen from the block at slot ``view``."""
        slot = self._slots_of_hashes.get(blockhash)
        return slot is not None and slot <= view and self.height(view) <= self.last_valid_height(slot)

    def advance(self) -> None:
        """One more block."""
        self.head += 1
        self._slots_of_hashes[self.blockhash(self.head)] = self.head
        while len(self._slots_of_hashes) > MAX_AGE_BLOCKS + 1:
            self._slots_of_hashes.pop(next(iter(self._slots_of_hashes)))

    def skip_to(self, slot: int) -> None:
        """The next block is at ``slot``; those between are skipped."""
        if slot <= self.head:
            raise ValueError(f"slot {slot} is not after {self.head}")
        self._begin(slot, self.height() + 1, self.segments[-1].fork)

    def extend(self, blocks: int) -> None:
        """That many blocks at once."""
        self.head += blocks
        self._remember()

    def fork_away(self, blocks: int) -> int:
        """Give up the last ``blocks`` blocks; the chain goes on from the one before, which is returned, in a new slot."""
        kept = self.before(blocks)
        self._begin(self.head + 1, self.height(kept) + 1, self.segments[-1].fork + 1)
        return kept

    def _begin(self, slot: int, height: int, fork: int) -> None:
        self.segments = [*(s for s in self.segments if s.height < height), Segment(slot, height, fork)]
        self.head = slot
        self._remember()

    @staticmethod
    def segments_from(rows: Sequence[Sequence[int]]) -> list[Segment]:
        return [Segment(*row) for row in rows]
