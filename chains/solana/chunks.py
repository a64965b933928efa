"""A program's bytes in pieces that fit a transaction, and which of them a buffer lacks."""

from __future__ import annotations

from dataclasses import dataclass

from solders.hash import Hash
from solders.pubkey import Pubkey

from chains.solana import fees, loader
from chains.solana.transactions import MAX_BYTES, compile_message, size

__all__ = ["Chunk", "chunk_size", "missing", "split"]


@dataclass(frozen=True)
class Chunk:
    """Bytes and where in the program they go."""

    offset: int
    data: bytes


def chunk_size(payer: Pubkey, authority: Pubkey, budget: fees.Budget) -> int:
    """How many bytes one write can carry, measured on a message that is built as the real ones are.

    The sixteen-bit length before an instruction's data takes one byte for an empty write and two for a full one.
    """
    empty = loader.write(Pubkey.from_bytes(bytes([7]) * 32), authority, 0, b"")
    message = compile_message(payer, [*budget.instructions(), empty], str(Hash.default()))
    return MAX_BYTES - size(message) - 1


def split(elf: bytes, bytes_each: int) -> list[Chunk]:
    """What has to be written: a new buffer is all zeros, so chunks of nothing else are left out."""
    chunks = [Chunk(at, elf[at : at + bytes_each]) for at in range(0, len(elf), bytes_each)]
    return [chunk for chunk in chunks if any(chunk.data)]


def missing(elf: bytes, held: bytes, bytes_each: int) -> list[Chunk]:
    """The chunks in which ``held`` differs: zeros too, where something else was written."""
    chunks = [Chunk(at, elf[at : at + bytes_each]) for at in range(0, len(elf), bytes_each)]
    return [chunk for chunk in chunks if held[chunk.offset : chunk.offset + len(chunk.data)] != chunk.data]
