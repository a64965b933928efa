"""Chunk writes, many side by side.

A wave is the writes signed with one blockhash. Its row holds what their bytes are made of (offsets, signatures, blockhash, price)
rather than the bytes: with the bundle they can be rebuilt exactly, and a release of a megabyte does not put two more into the
journal. Writes are idempotent, so that a wave that expired needs no proof: what the buffer lacks is written again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

from solders.instruction import Instruction
from solders.message import Message
from solders.pubkey import Pubkey
from solders.signature import Signature

from chains.rpc import Rpc, RpcUnknown
from chains.solana.chunks import Chunk
from chains.solana.fees import Budget
from chains.solana.rpc import Blockhash, send_request
from chains.solana.settings import Settings
from chains.solana.transactions import MessageSigner, compile_message, populate, sign

__all__ = ["Wave", "Written", "hand_out", "sign_wave", "wave_from"]


class Written(Protocol):
    """What is written in chunks, by its payer: ``content`` as a whole, ``write`` for a part of it."""

    @property
    def plan(self) -> str: ...

    @property
    def unit(self) -> str: ...

    @property
    def payer(self) -> str: ...

    @property
    def content(self) -> bytes: ...

    def write(self, offset: int, data: bytes) -> Instruction: ...


@dataclass(frozen=True)
class Wave:
    """Signed writes by signature: offset and raw bytes."""

    blockhash: Blockhash
    writes: Mapping[str, tuple[int, bytes]]


def _message(job: Written, chunk: Chunk, budget: Budget, blockhash: str) -> Message:
    write = job.write(chunk.offset, chunk.data)
    return compile_message(Pubkey.from_string(job.payer), [*budget.instructions(), write], blockhash)


def sign_wave(
    job: Written, chunks: Sequence[Chunk], blockhash: Blockhash, budget: Budget, payer: MessageSigner
) -> tuple[Wave, dict[str, Any]]:
    """The wave, and the row that has to be on disk before any of it is sent."""
    writes: dict[str, tuple[int, bytes]] = {}
    listed = []
    for chunk in chunks:
        message = _message(job, chunk, budget, blockhash.hash)
        signed = sign(
            message,
            {payer.address: payer},
            plan=job.plan,
            unit=job.unit,
            step="write",
            last_valid_height=blockhash.last_valid_height,
        )
        writes[signed.signature] = (chunk.offset, signed.raw)
        listed.append([chunk.offset, len(chunk.data), signed.signature])
    row = {
        "blockhash": blockhash.hash,
        "last_valid_height": blockhash.last_valid_height,
        "units": budget.units,
        "price_micro_lamports": budget.price_micro_lamports,
        "writes": listed,
    }
    return Wave(blockhash, writes), row


def wave_from(job: Written, row: Mapping[str, Any]) -> Wave:
    """The very bytes of an earlier run's wave."""
    budget = Budget(row["units"], row["price_micro_lamports"])
    writes = {}
    for offset, length, signature in row["writes"]:
        message = _message(job, Chunk(offset, job.content[offset : offset + length]), budget, row["blockhash"])
        writes[signature] = (offset, populate(message, [bytes(Signature.from_string(signature))]))
    return Wave(Blockhash(row["blockhash"], row["last_valid_height"]), writes)


def _groups(raws: Sequence[bytes], each: int) -> Iterator[Sequence[bytes]]:
    for start in range(0, len(raws), each):
        yield raws[start : start + each]


def hand_out(rpc: Rpc, raws: Sequence[bytes], settings: Settings) -> None:
    """Send side by side, over all endpoints in turn. What is lost is found missing, and sent again."""
    targets = rpc.submit or rpc.endpoints

    def hand(number: int, group: Sequence[bytes]) -> None:
        endpoint = targets[number % len(targets)]
        try:
            endpoint.batch([send_request(raw) for raw in group])
        except RpcUnknown:
            rpc.put_aside(endpoint)

    groups = list(enumerate(_groups(raws, settings.per_request)))
    with ThreadPoolExecutor(max_workers=max(min(settings.threads, len(groups)), 1)) as pool:
        for done in [pool.submit(hand, number, group) for number, group in groups]:
            done.result()
