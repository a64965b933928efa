"""One transaction of a step: simulated, signed, on disk, sent; the same bytes again while they may land; and signed anew only
when two providers prove that they never will."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from chains.base import Clock, Journal, Progress
from chains.solana.fees import MAX_UNITS, Budget, limit_from, price_from
from chains.solana.layouts import Account
from chains.solana.lifecycle import UnitState, fold, signed_row
from chains.solana.rpc import Cluster, Status
from chains.solana.settings import Settings, SimulationFailed, StepFailed
from chains.solana.transactions import MessageSigner, Signed, compile_message, populate, sign

__all__ = ["Sending"]

_REFUSALS = 4
Accounts = Mapping[str, Account | None]


@dataclass
class Sending:
    """The transactions of one unit of one plan. ``signers`` by address."""

    cluster: Cluster
    journal: Journal
    clock: Clock
    progress: Progress
    settings: Settings
    plan: str
    unit: str
    payer: str
    signers: Mapping[str, MessageSigner]
    sent: int = 0
    hint: str = ""
    _sent_at_s: dict[str, float] = field(default_factory=dict)
    _refusals: dict[str, int] = field(default_factory=dict)
    _price: int | None = None

    def __post_init__(self) -> None:
        self.state: UnitState = fold(self.journal.rows, self.plan, self.unit)

    def write(self, kind: str, data: Mapping[str, Any]) -> None:
        """One row about this unit: on disk, then believed."""
        self.state.apply(self.journal.append(kind, {"plan": self.plan, "unit": self.unit, **data}))
        self.progress.item(self.unit, kind.removeprefix("sol."), str(data.get("step", "")))

    def price(self, writable: Sequence[str]) -> int:
        """Micro-lamports for a compute unit, asked once a run."""
        if self._price is None:
            recent = self.cluster.recent_fees(writable)
            self._price = price_from(recent, self.settings.price_percentile, self.settings.price_cap_micro_lamports)
        return self._price

    def budget(self, made: Sequence[Instruction], writable: Sequence[str]) -> Budget | None:
        """By simulation; ``None`` if the transaction would fail."""
        price = self.price(writable)
        trial = Budget(MAX_UNITS, price)
        message = compile_message(Pubkey.from_string(self.payer), [*trial.instructions(), *made], "1" * 32)
        raw = populate(message, [bytes(64)] * message.header.num_required_signatures)
        error, logs, used = self.cluster.simulate(raw)
        if error is not None:
            self.hint = f"{error}: {' | '.join(logs[-3:])}"
            return None
        return Budget(limit_from(used), price)

    def drive(
        self,
        step: str,
        keys: Sequence[str],
        make: Callable[[], Sequence[Sequence[Instruction]]],
        undone: Callable[[Accounts], bool],
        *,
        once: bool = False,
    ) -> bool:
        """Bring a step whose effect the chain does not show one thing further; whether anything moved.

        ``make`` gives the forms its transaction can have, the first that a simulation accepts is signed. ``undone`` says of
        final accounts that the step's effect is not there. ``once``: what landed is never signed anew, whatever the accounts
        show. Raises ``StepFailed``, ``SimulationFailed``.
        """
        attempt = self.state.open_attempt(step)
        if attempt is None:
            return self._sign(step, make(), keys)
        last_s = self._sent_at_s.get(attempt.signature)
        if last_s is None or self.clock.monotonic_s() - last_s >= self.settings.resend_s:
            if self._over(step, attempt, keys, undone, once=once):
                return True
            self._send(attempt, again=last_s is not None)
        return False

    def settle(self, step: str, keys: Sequence[str]) -> bool:
        """Whether nothing that was signed for this step can still land; asked when its effect is not on chain."""
        attempt = self.state.open_attempt(step)
        return attempt is None or self._over(step, attempt, keys, lambda _: True)

    def confirm(self, current: str, slot: int) -> None:
        """Write down that the chain shows the effect of every step before the one that is next."""
        for step in self.state.attempts:
            if step != current and step not in self.state.confirmed and (attempt := self.state.open_attempt(step)):
                self.write("sol.confirmed", {"step": step, "signature": attempt.signature, "slot": slot})

    def _sign(self, step: str, forms: Sequence[Sequence[Instruction]], keys: Sequence[str]) -> bool:
        for made in forms:
            budget = self.budget(made, keys)
            if budget is not None:
                break
        else:
            # One node may lag behind the step before; a refusal that lasts is the chain's.
            self._refusals[step] = self._refusals.get(step, 0) + 1
            if self._refusals[step] >= _REFUSALS:
                started = bool(self.state.attempts)
                raise (StepFailed if started else SimulationFailed)(
                    f"{step} of {self.unit} would fail: {self.hint}",
                    remedy="Correct the cause. The transaction was not signed.",
                )
            return False
        blockhash = self.cluster.blockhash()
        message = compile_message(Pubkey.from_string(self.payer), [*budget.instructions(), *made], blockhash.hash)
        signed = sign(
            message,
            self.signers,
            plan=self.plan,
            unit=self.unit,
            step=step,
            last_valid_height=blockhash.last_valid_height,
        )
        self.write("sol.signed", signed_row(step, signed))
        self._send(signed, again=False)
        return True

    def _send(self, signed: Signed, *, again: bool) -> None:
        hints = self.cluster.send([signed.raw], widely=again)
        self.hint = hints[-1] if hints else self.hint
        self._sent_at_s[signed.signature] = self.clock.monotonic_s()
        self.sent += 0 if again else 1

    def _over(
        self,
        step: str,
        attempt: Signed,
        keys: Sequence[str],
        undone: Callable[[Accounts], bool],
        *,
        once: bool = False,
    ) -> bool:
        """Whether the attempt can never land any more, written down when two providers say so (a lone one: later).

        One that landed cannot land again; if its effect is gone (a buffer closed by hand), it is over as well.
        """
        alone = self.cluster.rpc.alone
        limit = attempt.last_valid_height + (self.settings.lone_extra_blocks if alone else 0)
        expired: list[str] = []
        landed: list[str] = []
        failed: list[Any] = []
        if self.cluster.height("finalized").block_height <= attempt.last_valid_height and not self._has_error(attempt):
            return False
        for label, height, accounts, (status, *_) in self.cluster.each(keys, [attempt.signature]):
            if _failed_finally(status):
                assert status
                failed.append(status.error)
            elif height.block_height > limit and undone(accounts) and (status is None or not once):
                (expired if status is None else landed).append(label)
        enough = 1 if alone else 2
        if len(failed) >= enough:
            self.write("sol.failed", {"step": step, "signature": attempt.signature, "error": str(failed[0])})
            raise StepFailed(
                f"{step} of {self.unit} landed and failed: {failed[0]} (signature {attempt.signature})",
                remedy="Correct the cause, then `ship deploy --replan` plans the rest from what is on chain.",
            )
        for providers in (expired, landed):
            if len(providers) >= enough and not failed and not (expired and landed):
                told = {"providers": providers, "landed": providers is landed}
                self.write("sol.expired", {"step": step, "signature": attempt.signature, **told})
                return True
        return False

    def _has_error(self, attempt: Signed) -> bool:
        return _failed_finally(self.cluster.statuses([attempt.signature]).get(attempt.signature))


def _failed_finally(status: Status | None) -> bool:
    return status is not None and status.error is not None and status.commitment == "finalized"
