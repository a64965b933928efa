"""Calling a transaction final or failed: a second word first, then the proof of the code, then the row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chains.base import Clock
from chains.evm.actions import Action
from chains.evm.address import keccak256
from chains.evm.lifecycle import Mined
from chains.evm.node import data_or_nothing
from chains.evm.reconcile import Decision, Receipt, Seen
from chains.evm.second_word import confirmed_by_another
from chains.evm.sending.book import Book, Entry
from chains.evm.sending.doubts import Doubts, code_places
from chains.evm.sending.reasons import why_it_failed
from chains.evm.sending.settings import SendSettings
from chains.evm.sending.taken import Taken
from chains.rpc import Rpc

__all__ = ["Concluding"]

Concluded = tuple[Action, Decision]


@dataclass
class Concluding:
    """``abis`` name the errors a failure may carry. ``open``: something looked settled and lacks a second word."""

    rpc: Rpc
    book: Book
    clock: Clock
    settings: SendSettings
    doubts: Doubts
    taken: Taken
    abis: Sequence[Sequence[Mapping[str, Any]]] = ()
    open: bool = False
    _said_since_s: dict[tuple[str, str, str], float] = field(default_factory=dict)

    def conclude(self, conclusions: Sequence[Concluded], seen: Seen) -> bool:
        """Hold what looks final or failed against a second word, then write it down; whether anything was."""
        self.open = False
        if not conclusions:
            return False
        agreed = self._agreed(conclusions, seen)
        self.open = len(agreed) < len(conclusions)
        failed = [self._failed(a, d.mined, seen) for a, d in agreed if d.verdict == "reverted" and d.mined]
        moved = self._finalize([(a, d.mined) for a, d in agreed if d.verdict == "finalize" and d.mined])
        return any(failed) or moved

    def _failed(self, action: Action, mined: Mined, seen: Seen) -> bool:
        """Write down that it failed; adopted if it did because the contract was there. ``False``: not certain yet."""
        adoption = self.taken.after_failure(action, mined, seen)
        if adoption == "wait":
            self.open = True
            return False
        reason = why_it_failed(self.rpc, self.book.plan.deployer, action, mined, self.abis)
        self.doubts.clear(action)
        row: Entry = ("tx.reverted", action, {**mined.to_json(), "reason": reason})
        self.book.write_all([row] if adoption == "no" else [row, adoption])
        return True

    def failed_before(self, actions: Sequence[Action], seen: Seen) -> list[Action]:
        """Of creations that an earlier run saw fail, adopt those whose contract is there. Those not certain yet."""
        left = []
        for action in actions:
            mined = self.book.states[action.id].mined
            adoption = self.taken.after_failure(action, mined, seen) if mined else "no"
            if adoption == "wait":
                left.append(action)
            elif adoption != "no":
                self.book.write_all([adoption])
        return left

    def _agreed(self, conclusions: Sequence[Concluded], seen: Seen) -> list[Concluded]:
        """Those a second provider confirms; with one provider, those it has been saying for long enough."""
        if self.rpc.alone:
            return self._lasting(conclusions)
        confirmed: set[str] = set()
        for verdict, finality in (("finalize", self.settings.finality), ("reverted", None)):
            wanted = [
                Receipt(d.mined, verdict == "finalize") for _, d in conclusions if d.verdict == verdict and d.mined
            ]
            if wanted:
                said, hint = confirmed_by_another(self.rpc, wanted, finality, than=seen.provider)
                confirmed |= said
                self.book.hint = self.book.hint if len(said) == len(wanted) else hint
        return [
            (action, decision)
            for action, decision in conclusions
            if decision.mined and decision.mined.hash in confirmed
        ]

    def _lasting(self, conclusions: Sequence[Concluded]) -> list[Concluded]:
        now_s = self.clock.monotonic_s()
        lasting = []
        for action, decision in conclusions:
            assert decision.mined
            key = (action.id, decision.verdict, decision.mined.block_hash)
            if now_s - self._said_since_s.setdefault(key, now_s) >= self.settings.second_look_s:
                lasting.append((action, decision))
        return lasting

    def _finalize(self, landed: Sequence[tuple[Action, Mined]]) -> bool:
        """Prove what the chain holds, read in one batch, before these actions count as done; whether one does now."""
        places = list(dict.fromkeys(place for action, _ in landed for place in code_places(action)))
        answers = self.rpc.read_all([("eth_getCode", [place, "latest"]) for place in places])
        codes = {place: data_or_nothing(answer) for place, answer in zip(places, answers, strict=True)}
        final: list[Entry] = []
        doubtful: list[tuple[Action, str]] = []
        for action, mined in landed:
            found = [codes[place] for place in code_places(action)]
            problem = self.doubts.code_problem(action, found)
            if problem:
                doubtful.append((action, problem))
                continue
            data = {**mined.to_json(), "finality": str(self.settings.finality), "address": action.address}
            data["code_keccak256"] = "0x" + keccak256(found[0]).hex() if action.address else None
            final.append(("tx.final", action, data))
        self.book.write_all(final)
        for action, problem in doubtful:  # may raise, and what is well is written by then
            self.doubts.wrong_code(action, problem)
        return bool(final)
