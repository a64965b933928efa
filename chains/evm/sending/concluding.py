"""Calling a transaction final or failed: a second word first, then the proof of the code, then the row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chains.base import Clock
from chains.evm.actions import Action
from chains.evm.address import keccak256
from chains.evm.lifecycle import Mined
from chains.evm.looking import confirmed_by_another
from chains.evm.node import data_or_nothing
from chains.evm.reconcile import Decision, Receipt, Seen
from chains.evm.sending.book import Book, Entry
from chains.evm.sending.doubts import Doubts, code_places
from chains.evm.sending.reasons import why_it_failed
from chains.evm.sending.settings import SendSettings
from chains.rpc import Rpc

__all__ = ["Concluding"]

Concluded = tuple[Action, Decision]


@dataclass
class Concluding:
    """``abis`` name the errors a failure may carry."""

    rpc: Rpc
    book: Book
    clock: Clock
    settings: SendSettings
    doubts: Doubts
    abis: Sequence[Sequence[Mapping[str, Any]]] = ()
    _said_since_s: dict[tuple[str, str, str], float] = field(default_factory=dict)

    def conclude(self, conclusions: Sequence[Concluded], seen: Seen) -> bool:
        """Hold what looks final or failed against a second word, then write it down; whether anything was."""
        if not conclusions:
            return False
        moved = False
        landed: list[tuple[Action, Mined]] = []
        for action, decision in self._agreed(conclusions, seen):
            assert decision.mined
            if decision.verdict == "finalize":
                landed.append((action, decision.mined))
                continue
            reason = why_it_failed(self.rpc, self.book.plan.deployer, action, decision.mined, self.abis)
            self.doubts.clear(action)
            self.book.write("tx.reverted", action, {**decision.mined.to_json(), "reason": reason})
            moved = True
        return self._finalize(landed) or moved

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
