"""A salted address that somebody else filled after the plan was made (fault 20): the same contract is taken over.

The rule is that of planning (``chains.evm.adopting``); every provider that answers must show the same code, and what
put it there must be final. Our own creation, if it was sent, then failed, and is recorded as failed and paid for. One that
was not signed yet is left unsent if nothing comes after it; otherwise it is sent all the same, because its nonce must be
used: later addresses and signatures rest on the nonces of the plan, and nothing else may be signed (design law 2).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from chains.evm.actions import Action
from chains.evm.address import keccak256
from chains.evm.adopting import OtherCodeThere, other_than_planned
from chains.evm.lifecycle import Mined
from chains.evm.node import Node, block_hash, data_or_nothing
from chains.evm.reconcile import Receipt, Seen
from chains.evm.second_word import confirmed_by_another
from chains.evm.sending.book import Book, Entry
from chains.evm.sending.doubts import Doubts
from chains.evm.sending.settings import SendSettings
from chains.rpc import Request, Rpc

__all__ = ["Taken"]

Verdict = Literal["free", "same", "other", "unsure"]


@dataclass(frozen=True)
class _Found:
    verdict: Verdict
    code: bytes = b""
    problem: str = ""


@dataclass
class Taken:
    """``_first_seen`` is the head at which the same code was first found, by action."""

    rpc: Rpc
    book: Book
    settings: SendSettings
    doubts: Doubts
    _first_seen: dict[str, tuple[int, str]] = field(default_factory=dict)

    def after_failure(self, action: Action, mined: Mined, seen: Seen) -> Entry | Literal["wait", "no"]:
        """Whether a creation that failed did so because its contract was there: the row that adopts it, then."""
        if not _salted(action):
            return "no"
        found = self._look(action)
        if found.verdict == "unsure":
            return "wait"
        if found.verdict != "same":
            return "no"
        if mined.block_number > seen.final_number:
            return "wait"  # ours came after theirs: once ours is final, so is theirs
        if not self.rpc.alone:
            wanted = [Receipt(mined, False)]
            confirmed, hint = confirmed_by_another(self.rpc, wanted, self.settings.finality, than=seen.provider)
            if mined.hash not in confirmed:
                self.book.hint = hint
                return "wait"
        return self._adoption(action, found.code, mined.hash)

    def before_signing(self, chosen: list[Action], seen: Seen) -> list[Action]:
        """Those of ``chosen`` that may be signed now. Raises ``OtherCodeThere`` once a doubt lasts."""
        salted = [action for action in chosen if _salted(action)]
        codes = self.rpc.read_all([("eth_getCode", [action.address, "latest"]) for action in salted])
        for action, code in zip(salted, codes, strict=True):
            found = self._look(action) if any(data_or_nothing(code)) else _Found("free")
            if found.verdict != "other":
                self.doubts.clear(action)
            if not any(data_or_nothing(code)):
                continue
            if found.verdict == "same" and not self._is_last(action):
                continue
            if found.verdict == "same" and self._is_final(action, seen):
                self.book.write_all([self._adoption(action, found.code, None)])
            elif found.verdict == "other":
                self.book.hint = f"{action.id}: {found.problem}"
                if self.doubts.lasts(action, self.settings.foreign_after_s):
                    raise _other(action, found.problem)
            return chosen[: chosen.index(action)]
        return chosen

    def _look(self, action: Action) -> _Found:
        answers = self.rpc.ask_each("eth_getCode", [action.address, "latest"])
        codes = [data_or_nothing(answer) for answer in answers if isinstance(answer, str)]
        if len(codes) < min(2, len(self.rpc.endpoints)) or len(set(codes)) != 1:
            return _Found("unsure")
        if not codes[0]:
            return _Found("free")
        problem = other_than_planned(Node(self.rpc), action, codes[0], self.doubts.prove)
        return _Found("other" if problem else "same", codes[0], problem or "")

    def _is_last(self, action: Action) -> bool:
        return action is self.book.plan.actions[-1] and not self.book.plan.proposals

    def _is_final(self, action: Action, seen: Seen) -> bool:
        """Whether the block at which the code was first seen is final, and still the one it was."""
        if seen.head is None:
            return False
        number, digest = self._first_seen.setdefault(action.id, (seen.head.number, seen.head.hash))
        if number > seen.final_number:
            return False
        header: Request = ("eth_getBlockByNumber", [hex(number), False])
        block: Any = self.rpc.read_all([header])[0]
        try:
            same = block_hash(block["hash"]) == digest
        except (ValueError, KeyError, TypeError):
            return False
        if not same:
            del self._first_seen[action.id]
        return same

    def _adoption(self, action: Action, code: bytes, failed: str | None) -> Entry:
        found = {"address": action.address, "code_keccak256": "0x" + keccak256(code).hex(), "failed": failed}
        evidence = {"source": action.source, "found": found}
        return "unit.adopted", action, {"unit": action.unit, "effect": dict(action.effect), "evidence": evidence}


def _salted(action: Action) -> bool:
    return action.kind in {"create2", "create3"} and action.address is not None and action.source is not None


def _other(action: Action, problem: str) -> OtherCodeThere:
    return OtherCodeThere(
        f"{action.id} is to go to {action.address}, where other code came to lie after the plan was made: {problem}",
        done="It was not signed.",
        remedy="Find out what it is. Then give the unit another salt, and plan the rest with `ship deploy --replan`.",
    )
