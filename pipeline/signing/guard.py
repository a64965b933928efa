"""The policy before every backend: each rule is asked, the decision is in the journal, and only then a key is used.

Default deny: what the approved plan does not hold is refused by the rule ``plan``, whatever else is allowed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chains.base import Journal
from chains.evm.actions import Action, EvmPlan
from chains.evm.transaction import UnsignedTransaction
from pipeline.signing.base import EvmBackend, PolicyRefused, TransactionPolicy
from pipeline.signing.rules.base import Request, Rule
from pipeline.signing.rules.spending import Account

__all__ = ["Guard", "GuardedPolicy", "Row"]

Row = tuple[str, Mapping[str, Any]]
"""Kind and data of a journal row."""

_UNCHANGEABLE = frozenset({"approved", "chain", "init-code", "signer"})
"""Rules that no key of ``[policy]`` turns off."""


@dataclass(frozen=True)
class _Refusal:
    rule: str
    error: PolicyRefused


@dataclass(frozen=True)
class Guard:
    """The rules of one target for one plan and one key. ``digest`` is the plan's."""

    plan: EvmPlan
    digest: str
    backend: EvmBackend
    journal: Journal
    rules: Sequence[Rule]
    account: Account

    def covered(self, action: str) -> tuple[Action, ...]:
        """The plan's own action of this name, or those of the proposal that an execution carries out."""
        own = tuple(a for a in self.plan.actions if a.id == action)
        name = (
            action
            if any(p.id == action for p in self.plan.proposals)
            else action.partition(".execute")[0].partition(".approve")[0]
        )
        ids = {i for p in self.plan.proposals if p.id == name for i in p.actions}
        return own or tuple(a for a in self.plan.actions if a.id in ids)

    def allow(self, request: Request, by_plan: Callable[[], None]) -> None:
        """Decide and have it on disk; ``by_plan`` holds the request to the plan. Raises ``PolicyRefused``."""
        refusal = self._judge(request, by_plan)
        if refusal is not None or not self._known(request):
            self.journal.append(*self._row(request, refusal))
        if refusal is not None:
            raise refusal.error
        self.account.allowed(request)

    def ahead(self, requests: Sequence[tuple[Request, Callable[[], None]]]) -> list[Row]:
        """The rows of all that is allowed, up to the first that is not: to be written in one go before ``allow``.

        What is written is not written again by ``allow``, which asks every rule once more.
        """
        rows = []
        for request, by_plan in requests:
            if self._judge(request, by_plan) is not None:
                break
            self.account.allowed(request)
            if not self._known(request):
                rows.append(self._row(request, None))
        return rows

    def foresee(self, requests: Sequence[Request]) -> None:
        """Ask about all that is still to be signed before the first of it is. Raises ``PolicyRefused``, journaled.

        Fees may be higher when it comes to signing: ``allow`` asks again.
        """
        try:
            for request in requests:
                refusal = self._judge(request, lambda: None)
                if refusal is not None:
                    self.journal.append(*self._row(request, refusal))
                    raise refusal.error
                self.account.allowed(request)
        finally:
            self.account.forget()

    def _known(self, request: Request) -> bool:
        return (self.digest, request.action, _hex(request.digest)) in self.account.ledger.decided

    def _judge(self, request: Request, by_plan: Callable[[], None]) -> _Refusal | None:
        self.account.ledger.update()
        try:
            by_plan()
        except PolicyRefused as error:
            return _Refusal("plan", error)
        for rule in self.rules:
            problem = rule.problem(request)
            if problem is not None:
                remedy = "Make a new plan for this target, with this key."
                if rule.name not in _UNCHANGEABLE:
                    remedy = f"If it is meant, change `{rule.name}` under [policy] and plan anew."
                cause = f"signing {request.action} is refused by the rule {rule.name}: {problem}"
                return _Refusal(rule.name, PolicyRefused(cause, remedy=f"Nothing was signed. {remedy}"))
        return None

    def _row(self, request: Request, refusal: _Refusal | None) -> Row:
        data = {
            "plan": self.digest,
            "action": request.action,
            "verdict": "allowed" if refusal is None else "refused",
            "what": request.form,
            "digest": _hex(request.digest),
            "signer": self.backend.address,
            "backend": self.backend.name,
            "assurance": self.backend.assurance,
            "worst_wei": str(request.worst_wei),
        }
        if refusal is not None:
            data |= {"rule": refusal.rule, "reason": refusal.error.cause}
        return "policy.decision", data


def _hex(digest: bytes) -> str:
    return "0x" + digest.hex()


@dataclass(frozen=True)
class GuardedPolicy:
    """A ``TransactionPolicy``: ``by_plan`` holds the bytes against the plan, the guard's rules do the rest."""

    by_plan: TransactionPolicy
    guard: Guard

    def allow(self, unsigned: UnsignedTransaction, action: Action) -> None:
        request, by_plan = self._asked(unsigned, action)
        self.guard.allow(request, by_plan)

    def ahead(self, batch: Sequence[tuple[UnsignedTransaction, Action]]) -> list[Row]:
        return self.guard.ahead([self._asked(unsigned, action) for unsigned, action in batch])

    def _asked(self, unsigned: UnsignedTransaction, action: Action) -> tuple[Request, Callable[[], None]]:
        request = Request(action.id, unsigned.signing_hash(), self.guard.covered(action.id), unsigned)
        return request, lambda: self.by_plan.allow(unsigned, action)
