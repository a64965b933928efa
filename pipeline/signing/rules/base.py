"""What a rule is asked, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from chains.evm.actions import Action
from chains.evm.transaction import UnsignedTransaction

__all__ = ["Request", "Rule"]


@dataclass(frozen=True)
class Request:
    """Something to be signed. ``digest`` is the 32 bytes a backend would be shown, for the journal and nothing else.

    ``covers`` are the approved plan's actions that it carries out: itself, or what a Safe's transaction stands for.
    ``unsigned`` is ``None`` for typed data, which ``form`` then names (``SafeTx``).
    """

    action: str
    digest: bytes
    covers: tuple[Action, ...]
    unsigned: UnsignedTransaction | None = None
    form: str = "transaction"

    @property
    def value_wei(self) -> int:
        """What is sent along, also by a Safe at our word."""
        own = self.unsigned.value_wei if self.unsigned else 0
        return own + sum(action.value_wei for action in self.covers if action.kind == "proposal")

    @property
    def worst_wei(self) -> int:
        """The most it can cost whoever signs it."""
        unsigned = self.unsigned
        return unsigned.gas_limit * unsigned.fees.max_wei + unsigned.value_wei if unsigned else 0


class Rule(Protocol):
    """``name`` as in the journal and in messages. ``problem`` says why a request is refused, or nothing."""

    @property
    def name(self) -> str: ...

    def problem(self, request: Request) -> str | None: ...
