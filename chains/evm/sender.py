"""Carries a plan out: reserves, signs, sends and watches, in nonce order, at most a window of transactions at a time.

Every turn looks at the chain once, asks ``reconcile`` about each transaction, and writes what was decided to the
journal before acting on it. It can be killed between any two lines and run again. Parts, in ``chains.evm.sending``:

    book        the states, changed by rows of the journal alone
    signing     reserving, signing, replacing, under the caps
    concluding  final or failed, on a second word
    doubts      what a person has to settle, once it lasts and all endpoints show it
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chains.base import Clock, Journal, Progress
from chains.evm.actions import Action, EvmPlan
from chains.evm.fees import FeeCaps
from chains.evm.lifecycle import TxState
from chains.evm.looking import Looking
from chains.evm.node import data_or_nothing
from chains.evm.reconcile import Decision, Seen, reconcile
from chains.evm.sending.book import Book, Entry
from chains.evm.sending.concluding import Concluding
from chains.evm.sending.doubts import Doubts
from chains.evm.sending.errors import NotReady, SignerMismatch, halted, pending
from chains.evm.sending.pacing import Pace
from chains.evm.sending.rechecking import reopen_what_is_gone
from chains.evm.sending.settings import Prove, SendSettings, TransactionSigner
from chains.evm.sending.signing import Signing
from chains.evm.sending.taken import Taken
from chains.rpc import Request, Rpc, RpcFault

__all__ = ["SendSettings", "Sender", "TransactionSigner"]


@dataclass
class Sender:
    """One run of one plan on one chain."""

    rpc: Rpc
    journal: Journal
    signer: TransactionSigner
    clock: Clock
    progress: Progress
    plan: EvmPlan
    digest: str
    settings: SendSettings
    caps: FeeCaps
    prove: Prove
    abis: Sequence[Sequence[Mapping[str, Any]]] = ()
    may_sign: Callable[[Action], bool] | None = None
    sent: int = 0
    _sent_at_s: dict[str, float] = field(default_factory=dict)
    _offered_at_s: dict[str, float] = field(default_factory=dict)
    _handed: set[str] = field(default_factory=set)
    _looked_s: float = 0.0

    def __post_init__(self) -> None:
        self._book = Book(self.journal, self.progress, self.plan, self.digest)

    @property
    def states(self) -> dict[str, TxState]:
        return self._book.states

    def run(self) -> dict[str, TxState]:
        """Until every action is final. Raises what ``chains.evm.sending.errors`` lists; all leave a resumable journal."""
        if self.signer.address.lower() != self.plan.deployer.lower():
            raise SignerMismatch(
                f"the signer is {self.signer.address}, the plan was made for {self.plan.deployer}",
                remedy="Use the key the plan was made for, or make a new plan with `ship deploy --replan`.",
            )
        book, settings = self._book, self.settings
        self._signing = Signing(
            self.rpc, book, self.signer, self.clock, self.caps, settings.legacy_fees, settings.moment_s
        )
        self._doubts = Doubts(self.rpc, book, self.clock, settings, self.prove)
        self._taken = Taken(self.rpc, book, settings, self._doubts)
        self._concluding = Concluding(self.rpc, book, self.clock, settings, self._doubts, self._taken, self.abis)
        looking = Looking(self.rpc, self.plan, settings.finality)
        book.read()
        reopen_what_is_gone(looking, book, self.clock, settings)
        for state in book.states.values():
            if state.stage in {"final", "adopted"}:
                self.progress.item(state.action, state.stage, "from an earlier run")
        failed = [a for a in self.plan.actions if book.states[a.id].stage == "reverted"]
        pace = Pace(settings.poll_s)
        moved_s = self.clock.monotonic_s()
        while not book.finished:
            self._looked_s = self.clock.monotonic_s()
            seen = looking.look(book.states.values(), self._overdue())
            if seen is not None:
                pace.saw(seen.head, self._looked_s)
                failed = self._concluding.failed_before(failed, seen)
            if seen is not None and self._turn(seen):
                moved_s = self.clock.monotonic_s()
                if book.finished:
                    break
            if book.halting and not book.under_way and not failed:
                raise halted(self.plan, book.states.values())
            if self.clock.monotonic_s() - moved_s > settings.wait_s:
                if book.halting:
                    raise halted(self.plan, book.states.values())
                raise pending(settings.wait_s, book.under_way, book.hint)
            blocks_alone = seen is not None and bool(book.under_way) and not failed and self._waits_for_blocks_alone()
            self.clock.sleep_s(pace.pause_s(self.clock.monotonic_s()) if blocks_alone else settings.poll_s)
        return book.states

    def _waits_for_blocks_alone(self) -> bool:
        """Whether nothing but a new block can bring the plan forward: no doubt, no second word, nobody who releases."""
        return self.may_sign is None and not self._doubts.any and not self._concluding.open

    def _turn(self, seen: Seen) -> bool:
        """Act on every transaction once; whether the plan moved on (a resend or a replacement moves nothing)."""
        self._signing.new_look()
        moved = self._note_blocks(seen)  # what is mined now may be final at the same look
        outbox: list[tuple[Action, bytes]] = []
        replaced: list[Action] = []
        again = failing = False
        conclusions: list[tuple[Action, Decision]] = []
        for action, decision in self._decisions(seen):
            if decision.verdict in {"wait", "send", "replace"}:
                self._doubts.clear(action)
            match decision.verdict:
                case "finalize" | "reverted":
                    failing |= decision.verdict == "reverted"
                    conclusions.append((action, decision))
                case "send":
                    again |= action.id in self._handed
                    outbox.append((action, self.states[action.id].attempts[-1].raw))
                case "replace":
                    self._offered_at_s[action.id] = self.clock.monotonic_s()
                    replaced.append(action)
                case "ask_foreign":
                    self._doubts.foreign(action)
        outbox += self._signing.replacements(replaced)
        if not failing:
            fresh = self._signing.sign(self._taken.before_signing(self._signable(seen), seen))
            outbox += fresh
            moved |= bool(fresh)
        self._send(outbox, again=again)
        return self._concluding.conclude(conclusions, seen) or moved

    def _note_blocks(self, seen: Seen) -> bool:
        """Write down, as one group, what came into a block and what fell out of one; whether anything came in."""
        entries: list[Entry] = []
        for action, decision in self._decisions(seen):
            if decision.verdict == "mined":
                assert decision.mined
                self._doubts.clear(action)
                entries.append(("tx.mined", action, decision.mined.to_json()))
            elif decision.verdict == "reorged":
                entries.append(("tx.reorged", action, {"hash": self.states[action.id].attempts[-1].hash}))
                self._sent_at_s.pop(action.id, None)
                self._offered_at_s.pop(action.id, None)
        self._book.write_all(entries)
        return any(kind == "tx.mined" for kind, _, _ in entries)

    def _decisions(self, seen: Seen) -> list[tuple[Action, Decision]]:
        """What to do about each transaction that was signed and is not settled."""
        under_way = {state.action for state in self._book.under_way}
        return [(action, self._decide(action, seen)) for action in self.plan.actions if action.id in under_way]

    def _signable(self, seen: Seen) -> list[Action]:
        """The next actions of the plan, as many as may be in flight."""
        chosen: list[Action] = []
        for action in self.plan.actions:
            if self.states[action.id].stage not in {"planned", "reserved"}:
                continue
            if not self._may_sign(action, seen, chosen):
                break
            chosen.append(action)
        return chosen

    def _decide(self, action: Action, seen: Seen) -> Decision:
        return reconcile(
            self.states[action.id],
            seen,
            sent_before_s=self._since_s(self._sent_at_s, action),
            offered_before_s=self._since_s(self._offered_at_s, action),
            resend_after_s=self.settings.resend_after_s,
            stuck_after_s=self.settings.stuck_after_s,
        )

    def _overdue(self) -> set[str]:
        """Those that would be sent again if no pool knew them."""
        after_s = self.settings.resend_after_s
        return {name for name, at_s in self._sent_at_s.items() if self._looked_s - at_s >= after_s}

    def _since_s(self, times_s: Mapping[str, float], action: Action) -> float | None:
        """By the time of the look: what was not overdue then was not looked for in a pool."""
        at_s = times_s.get(action.id)
        return None if at_s is None else self._looked_s - at_s

    def _may_sign(self, action: Action, seen: Seen, chosen: Sequence[Action]) -> bool:
        in_flight = self._book.in_flight + len(chosen)
        if self._book.halting or in_flight >= self.settings.window or not self._gas_fits(action, seen, chosen):
            return False
        if self.may_sign is not None and not self.may_sign(action):
            return False
        if seen.nonce > action.nonce:
            self._doubts.foreign(action)
            return False
        if action.reads and not self._doubts.reads_hold(action, in_flight > 0):
            return False
        if action.ready is None:
            return True
        if in_flight:
            return False
        request = {"to": action.ready.to, "input": "0x" + action.ready.data.hex()}
        answer = self.rpc.read_all([("eth_call", [request, "latest"])])[0]
        if isinstance(answer, RpcFault) or not any(data_or_nothing(answer)):
            raise NotReady(
                f"{action.title}: scheduled, but the delay of {action.ready.delay_s} s is not over",
                remedy="Run the same command again when it is.",
            )
        return True

    def _gas_fits(self, action: Action, seen: Seen, chosen: Sequence[Action]) -> bool:
        """Whether what is in flight fits into the next blocks: a pool drops what waits behind several full ones."""
        flying = [a for a in self.plan.actions if self.states[a.id].stage == "signed"] + list(chosen)
        if not flying or seen.head is None:
            return True
        gas = sum(a.gas_limit for a in flying) + action.gas_limit
        return gas <= self.settings.blocks_in_flight * seen.head.gas_limit

    def _send(self, outbox: Sequence[tuple[Action, bytes]], *, again: bool) -> None:
        """Hand the bytes to a node; what no node knew after a first time (``again``) to all of them."""
        if not outbox:
            return
        outbox = sorted(outbox, key=lambda entry: entry[0].nonce)
        requests: list[Request] = [("eth_sendRawTransaction", ["0x" + raw.hex()]) for _, raw in outbox]
        hints = self.rpc.send_all(requests, widely=again)
        self._book.hint = hints[-1] if hints else self._book.hint
        for action, _ in outbox:
            self._handed.add(action.id)
            self._sent_at_s[action.id] = self.clock.monotonic_s()
            self._offered_at_s.setdefault(action.id, self._sent_at_s[action.id])
        self.sent = len(self._handed)
