"""What only a person can settle, and how long and by whom it must be shown before one is called (design law 3).

A doubt must be there for ``foreign_after_s``, and then be shown by every endpoint that answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from chains.base import Clock
from chains.evm.actions import Action
from chains.evm.foreign import used_by
from chains.evm.holding import other_answer
from chains.evm.node import data_or_nothing
from chains.evm.sending.book import Book
from chains.evm.sending.errors import ReadChanged, WrongCode, nonce_taken
from chains.evm.sending.settings import Prove, SendSettings
from chains.rpc import Rpc, RpcUnknown

__all__ = ["Doubts", "code_places"]


@dataclass
class Doubts:
    """One doubt an action at a time; ``clear`` it when the chain speaks against it."""

    rpc: Rpc
    book: Book
    clock: Clock
    settings: SendSettings
    prove: Prove
    _since_s: dict[str, float] = field(default_factory=dict)

    def clear(self, action: Action) -> None:
        self._since_s.pop(action.id, None)

    @property
    def any(self) -> bool:
        return bool(self._since_s)

    def lasts(self, action: Action, for_s: float) -> bool:
        """Whether a doubt about the action has been there for so long; it begins with the first time this is asked."""
        now_s = self.clock.monotonic_s()
        return now_s - self._since_s.setdefault(action.id, now_s) >= for_s

    def foreign(self, action: Action) -> None:
        """The nonce is used and no receipt is ours. Raises ``NonceTaken`` once the blocks show whose it is.

        A missing receipt alone proves nothing: a node may withhold it for as long as it likes.
        """
        if not self.lasts(action, self.settings.foreign_after_s):
            return
        self.clear(action)
        plan = self.book.plan
        ours = {attempt.hash.lower() for attempt in self.book.states[action.id].attempts}
        shown = []
        for endpoint in self.rpc.endpoints:
            try:
                shown.append(used_by(endpoint, plan.deployer, action.nonce, plan.observed["block_number"]))
            except RpcUnknown as error:
                self.book.hint = str(error)
        users = {user for user in shown if user is not None}
        if not users or users & ours:
            self.book.hint = f"nonce {action.nonce} is used, and no endpoint shows by which transaction"
            return
        if not self.rpc.alone and (len(users) > 1 or len([user for user in shown if user]) < 2):
            self.book.hint = f"nonce {action.nonce} is used, and no two providers show the same transaction of it"
            return
        reason = f"the nonce was used by {', '.join(sorted(map(str, users)))}"
        self.book.write("tx.foreign", action, {"reason": reason})
        raise nonce_taken(plan, action, reason)

    def wrong_code(self, action: Action, problem: str) -> None:
        """What the action put on the chain is not what it should be. Raises ``WrongCode`` when every endpoint that
        answers shows the same."""
        self.book.hint = f"{action.id}: {problem}"
        if not self.lasts(action, self.settings.foreign_after_s):
            return
        places = code_places(action)
        shown = [self.rpc.ask_each("eth_getCode", [place, "latest"]) for place in places]
        problems = [
            self.code_problem(action, [data_or_nothing(answer) for answer in answers])
            for answers in zip(*shown, strict=True)
            if all(isinstance(answer, str) for answer in answers)
        ]
        if not problems or not all(problems):
            self.clear(action)
            return
        raise WrongCode(
            f"{action.id} at {problems[0]}",
            remedy="Do not use this contract. Ask a second node; if it agrees, find out what deployed it.",
        )

    def code_problem(self, action: Action, codes: Sequence[bytes]) -> str | None:
        """What is wrong with the codes found at ``code_places``."""
        for place, code in zip(code_places(action), codes, strict=True):
            problem = self.prove(action, code) if action.address and code else None
            if not code or problem:
                return f"{place}: {problem or 'there is no code'}"
        return None

    def reads_hold(self, action: Action, in_flight: bool) -> bool:
        """Whether the chain still gives what the payload was made from. Raises ``ReadChanged``.

        What depends on earlier actions waits until they are mined. Another answer is only believed when nothing is on its
        way, every endpoint gives one, and it lasts for two blocks: a node may lag behind.
        """
        if in_flight and not all(reading.settled for reading in action.reads):
            return False
        other = other_answer(self.rpc, self.book.plan.deployer, action.reads)
        if other is None:
            self.clear(action)
            return True
        if in_flight or other.unsure:
            self.clear(action)
            return False
        if not self.lasts(action, self.settings.resend_after_s):
            return False
        raise ReadChanged(
            f"{action.id}: {other}",
            remedy="What was approved no longer holds. `ship deploy --replan` plans the rest with the value of now.",
        )


def code_places(action: Action) -> list[str]:
    """Where code must be found before the action counts as done: the new contract's address, or what it called."""
    return [action.address] if action.address else list(action.needs_code)
