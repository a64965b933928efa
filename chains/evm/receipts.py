"""Receipts of the transactions under way, and the canonical blocks they are in.

Where more of them are wanted than blocks went by, whole blocks of receipts are asked for (``eth_getBlockReceipts``,
execution-apis). That is a shortcut and no evidence of absence: what no block shows although its nonce is used, is asked
for by its hash, and so is everything now and then. A missing receipt stays unknown either way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chains.evm.lifecycle import Mined, TxState
from chains.evm.node import block_hash, quantity
from chains.evm.reconcile import Receipt
from chains.rpc import Request, Rpc, RpcDown

__all__ = ["Receipts", "read_receipts"]

_MOST_BLOCKS = 8
"""More would risk a reply beyond what is accepted: a busy block's receipts are a megabyte or two."""
_WHOLE_EVERY = 8


@dataclass
class Receipts:
    """``_without`` names the endpoints that lack the method; ``_read_to`` is the newest block whose receipts are known.

    ``_held`` are receipts seen before: a block's hash commits to them, so that they hold for as long as it is canonical.
    """

    rpc: Rpc
    _without: set[str] = field(default_factory=set)
    _held: dict[str, Receipt] = field(default_factory=dict)
    _read_to: int | None = None
    _crowded: bool = False
    _looks: int = 0

    def at_once(self, waiting: Sequence[TxState]) -> list[str]:
        """The hashes to ask for in the first batch of a look already, because blocks would not be cheaper."""
        hashes = _hashes(s for s in waiting if not self._holds(s))
        whole = self._looks % _WHOLE_EVERY == 0 or self._read_to is None or self._crowded
        self._looks += 1
        return hashes if whole or len(hashes) == 1 or self.rpc.answered_by in self._without else []

    def of(
        self, waiting: Sequence[TxState], known: dict[str, Receipt] | None, head: int, nonce: int
    ) -> tuple[dict[str, Receipt], dict[int, str]]:
        """``(receipts by hash, hashes of the canonical blocks by number)`` at a head where ``nonce`` is the next one.

        ``known`` are the answers to ``at_once``, if anything was asked.
        """
        open_ones = [s for s in waiting if not self._holds(s)]
        found: dict[str, Receipt] = known or {}
        canonical: dict[int, str] = {}
        if known is None and open_ones:
            blocks = self._blocks(open_ones, head)
            shown = self._by_block(_hashes(open_ones), blocks) if blocks is not None else None
            found, canonical = shown or ({}, {})
            # Not shown, and yet the nonce is used; or the blocks could not be had at all.
            asked = [s for s in open_ones if shown is None or s.stage == "mined" or (s.nonce or 0) < nonce]
            found |= self._by_hash(_hashes(s for s in asked if not any(a.hash in found for a in s.attempts)))
        self._crowded = self._read_to is not None and head - self._read_to >= max(len(open_ones), 1)
        self._read_to = head
        canonical |= self._headers(found, waiting, canonical)
        found, replaced = self._with_held(waiting, found, canonical)
        if replaced:
            found |= self._by_hash(_hashes(replaced))
            canonical |= self._headers(found, waiting, canonical)
        self._held |= found
        return found, canonical

    def _holds(self, state: TxState) -> bool:
        return state.mined is not None and self._held_of(state.mined) is not None

    def _held_of(self, mined: Mined) -> Receipt | None:
        held = self._held.get(mined.hash)
        return held if held is not None and held.mined.block_hash == mined.block_hash else None

    def _with_held(
        self, waiting: Sequence[TxState], found: Mapping[str, Receipt], canonical: Mapping[int, str]
    ) -> tuple[dict[str, Receipt], list[TxState]]:
        """``found`` and what is held of canonical blocks, and those whose block is no longer seen as canonical."""
        all_found, replaced = dict(found), []
        for state in waiting:
            if state.mined is None or state.mined.hash in found or (held := self._held_of(state.mined)) is None:
                continue
            if canonical.get(state.mined.block_number) == state.mined.block_hash:
                all_found[state.mined.hash] = held
            else:
                replaced.append(state)
        return all_found, replaced

    def _headers(
        self, found: Mapping[str, Receipt], waiting: Iterable[TxState], canonical: Mapping[int, str]
    ) -> dict[int, str]:
        """Of the blocks that matter and were not read yet."""
        numbers = {r.mined.block_number for r in found.values()} | {s.mined.block_number for s in waiting if s.mined}
        unread = sorted(numbers - set(canonical))
        return _canonical(unread, self.rpc.read_all([_header(number) for number in unread]))

    def _blocks(self, waiting: Sequence[TxState], head: int) -> list[int] | None:
        """The blocks that can hold something new, or that held something; ``None`` where receipts cost less, or that is
        not known."""
        if self._read_to is None:
            return None
        numbers = {*range(self._read_to + 1, head + 1), *(s.mined.block_number for s in waiting if s.mined)}
        return sorted(numbers) if len(numbers) <= min(_MOST_BLOCKS, len(_hashes(waiting))) else None

    def _by_hash(self, hashes: Sequence[str]) -> dict[str, Receipt]:
        return read_receipts(hashes, self.rpc.read_all([("eth_getTransactionReceipt", [h]) for h in hashes]))

    def _by_block(
        self, hashes: Sequence[str], blocks: Sequence[int]
    ) -> tuple[dict[str, Receipt], dict[int, str]] | None:
        """Receipts and headers of ``blocks`` in one batch; ``None`` when the node gives no receipts by block, which is
        then not asked for them again."""
        requests: list[Request] = [("eth_getBlockReceipts", [hex(number)]) for number in blocks]
        try:
            answers: list[Any] = self.rpc.read_all(requests + [_header(number) for number in blocks])
        except RpcDown:  # down, or its reply is larger than is read: then receipts one by one may still be had
            self._without |= {endpoint.label for endpoint in self.rpc.endpoints}
            return None
        receipts = answers[: len(blocks)]
        if not all(isinstance(answer, list) for answer in receipts):
            self._without.add(self.rpc.answered_by)
            return None
        there: dict[str, Any] = {}
        for receipt in (one for answer in receipts for one in answer if isinstance(one, Mapping)):
            there[str(receipt.get("transactionHash")).lower()] = receipt
        found = read_receipts(hashes, [there.get(h.lower()) for h in hashes])
        return found, _canonical(blocks, answers[len(blocks) :])


def _hashes(states: Iterable[TxState]) -> list[str]:
    return [attempt.hash for state in states for attempt in state.attempts]


def _header(number: int) -> Request:
    return "eth_getBlockByNumber", [hex(number), False]


def _canonical(numbers: Sequence[int], blocks: Sequence[Any]) -> dict[int, str]:
    """The hash of the block at each height, where the node has one and it is the one asked for."""
    found = {}
    for number, block in zip(numbers, blocks, strict=True):
        try:
            if quantity(block["number"]) == number:
                found[number] = block_hash(block["hash"])
        except (ValueError, KeyError, TypeError):
            continue
    return found


def read_receipts(hashes: Iterable[str], answers: Iterable[Any]) -> dict[str, Receipt]:
    """Those answers that are receipts of the transactions asked for."""
    read = {h: Receipt.from_rpc(h, answer) for h, answer in zip(hashes, answers, strict=True)}
    return {h: receipt for h, receipt in read.items() if receipt is not None}
