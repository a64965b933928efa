"""Carries a plan out: reserves, signs, sends and watches, in nonce order, at most a window of transactions at a time.

Every turn looks at the chain once, asks ``reconcile`` about each transaction, and writes what was decided to the
journal before acting on it. It can be killed between any two lines and run again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from chains.base import Clock, Journal, Progress
from chains.errors import NeedsPerson, Refused, Resumable
from chains.evm.abi import explain_revert
from chains.evm.actions import Action, EvmPlan
from chains.evm.address import keccak256
from chains.evm.fees import BaseFeeAboveCap, FeeCaps, bump, current_fees, ether
from chains.evm.foreign import used_by
from chains.evm.holding import other_answer
from chains.evm.lifecycle import Mined, TxState, apply, fold
from chains.evm.looking import Finality, confirmed_by_another, look
from chains.evm.node import data_or_nothing
from chains.evm.reconcile import Decision, Receipt, Seen, reconcile
from chains.evm.transaction import Fees, SignedTransaction, UnsignedTransaction
from chains.rpc import Request, Rpc, RpcDown, RpcFault, RpcUnknown

__all__ = [
    "ActionReverted",
    "NonceTaken",
    "NotReady",
    "ReadChanged",
    "SendSettings",
    "Sender",
    "SignerMismatch",
    "SigningStopped",
    "StillPending",
    "TransactionSigner",
    "WrongCode",
]


class ActionReverted(NeedsPerson):
    """SHIP-E20: a transaction was mined and failed. It is recorded and never retried blindly."""

    code = "SHIP-E20"


class NonceTaken(NeedsPerson):
    """SHIP-E21: a transaction that is not ours used a nonce of the plan."""

    code = "SHIP-E21"


class StillPending(Resumable):
    """SHIP-E22: nothing changed on chain for as long as the policy waits."""

    code = "SHIP-E22"


class WrongCode(NeedsPerson):
    """SHIP-E23: the chain holds other code at a contract's address than was deployed."""

    code = "SHIP-E23"


class NotReady(Resumable):
    """SHIP-E24: a scheduled operation may not be executed yet."""

    code = "SHIP-E24"


class ReadChanged(NeedsPerson):
    """SHIP-E51: the chain no longer gives a value that a transaction of the approved plan holds."""

    code = "SHIP-E51"


class SignerMismatch(Refused):
    """SHIP-E26: the key at hand is not the one the plan was made for."""

    code = "SHIP-E26"


class SigningStopped(Resumable):
    """SHIP-E27: a signature was refused after earlier transactions of the plan had been signed."""

    code = "SHIP-E27"


class TransactionSigner(Protocol):
    """Signs one planned transaction after the policy and the plan were held against it. ``address`` has a checksum."""

    @property
    def address(self) -> str: ...

    def sign(self, unsigned: UnsignedTransaction, action: Action) -> SignedTransaction: ...


@dataclass(frozen=True)
class SendSettings:
    """Pace and patience; all ``_s`` are seconds.

    ``window`` transactions may be in flight. A transaction is sent again ``resend_after_s`` after no node knows it,
    replaced with higher fees after ``stuck_after_s``. What only a person can settle (a nonce used by another
    transaction, wrong code) must be seen for ``foreign_after_s``, and then shown by every endpoint that answers. A
    single provider's word that something is final or failed must last ``second_look_s``; where there are two, the second
    has to say the same instead (design law 3). The run stops resumably when the chain moved nothing for ``wait_s``.
    """

    finality: Finality
    window: int = 16
    wait_s: float = 300.0
    poll_s: float = 1.0
    resend_after_s: float = 6.0
    stuck_after_s: float = 60.0
    foreign_after_s: float = 60.0
    legacy_fees: bool = False
    second_look_s: float = 0.0


Prove = Callable[[Action, bytes], str | None]
"""Holds runtime code found at a new contract's address against the bundle; what is wrong, or ``None``."""


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
    states: dict[str, TxState] = field(default_factory=dict)
    sent: int = 0
    _sent_at_s: dict[str, float] = field(default_factory=dict)
    _offered_at_s: dict[str, float] = field(default_factory=dict)
    _handed: set[str] = field(default_factory=set)
    _doubt_since_s: dict[str, float] = field(default_factory=dict)
    _settled_since_s: dict[tuple[str, str, str], float] = field(default_factory=dict)
    _fees: Fees | None = None
    _hint: str = ""

    def run(self) -> dict[str, TxState]:
        """Until every action is final. Raises one of this module's errors, each leaving a resumable journal."""
        if self.signer.address.lower() != self.plan.deployer.lower():
            raise SignerMismatch(
                f"the signer is {self.signer.address}, the plan was made for {self.plan.deployer}",
                remedy="Use the key the plan was made for, or make a new plan with `ship deploy --replan`.",
            )
        self._fold()
        for state in self.states.values():
            if state.stage == "final":
                self.progress.item(state.action, "final", "from an earlier run")
        moved_s = self.clock.monotonic_s()
        while not self._finished():
            seen = look(self.rpc, self.plan, self.states.values(), self.settings.finality)
            if seen is not None and self._turn(seen):
                moved_s = self.clock.monotonic_s()
                if self._finished():
                    break
            if self._halting() and not self._under_way():
                raise self._halted()
            if self.clock.monotonic_s() - moved_s > self.settings.wait_s:
                raise self._halted() if self._halting() else self._pending()
            self.clock.sleep_s(self.settings.poll_s)
        return self.states

    # -- state ---------------------------------------------------------------------------------------------------

    def _fold(self) -> None:
        known = fold(self.journal.rows, self.digest)
        self.states = {a.id: known.get(a.id, TxState(a.id)) for a in self.plan.actions}

    def _write(self, kind: str, action: Action, data: Mapping[str, Any]) -> None:
        row = self.journal.append(kind, {"plan": self.digest, "action": action.id, "nonce": action.nonce, **data})
        self.states[action.id] = apply(self.states[action.id], row)
        self.progress.item(action.id, self.states[action.id].stage, _note(self.states[action.id]))

    def _finished(self) -> bool:
        return all(s.stage == "final" for s in self.states.values())

    def _halting(self) -> bool:
        return any(s.stage in {"reverted", "foreign"} for s in self.states.values())

    def _in_flight(self) -> int:
        return sum(s.stage == "signed" for s in self.states.values())

    def _under_way(self) -> bool:
        return any(s.stage in {"signed", "mined"} for s in self.states.values())

    # -- acting --------------------------------------------------------------------------------------------------

    def _turn(self, seen: Seen) -> bool:
        """Act on every transaction once; whether the plan moved on (a resend or a replacement moves nothing)."""
        self._fees = None
        moved = False
        outbox: list[tuple[Action, bytes]] = []
        again = failing = False
        conclusions: list[tuple[Action, Decision]] = []
        for action in self.plan.actions:
            state = self.states[action.id]
            if state.settled:
                continue
            if state.stage in {"planned", "reserved"} and (failing or not self._may_sign(action, seen)):
                break
            decision = self._decide(action, seen)
            if decision.verdict == "mined":  # it may be final at the same look
                moved |= self._act(action, decision, outbox)
                decision = self._decide(action, seen)
            if decision.verdict in {"finalize", "reverted"}:
                failing |= decision.verdict == "reverted"
                conclusions.append((action, decision))
                continue
            again |= decision.verdict == "send" and action.id in self._handed
            moved |= self._act(action, decision, outbox)
        self._send(outbox, again=again)
        return self._conclude(conclusions, seen) or moved

    def _decide(self, action: Action, seen: Seen) -> Decision:
        return reconcile(
            self.states[action.id],
            seen,
            sent_before_s=self._since_s(self._sent_at_s, action),
            offered_before_s=self._since_s(self._offered_at_s, action),
            resend_after_s=self.settings.resend_after_s,
            stuck_after_s=self.settings.stuck_after_s,
        )

    def _conclude(self, conclusions: Sequence[tuple[Action, Decision]], seen: Seen) -> bool:
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
            reason = self._reason(action, decision.mined)
            self._doubt_since_s.pop(action.id, None)
            self._write("tx.reverted", action, {**decision.mined.to_json(), "reason": reason})
            moved = True
        return self._finalize(landed) or moved

    def _agreed(self, conclusions: Sequence[tuple[Action, Decision]], seen: Seen) -> list[tuple[Action, Decision]]:
        """Those a second provider confirms; with one provider, those it has been saying for long enough."""
        now_s = self.clock.monotonic_s()
        if self.rpc.alone:
            lasting = []
            for action, decision in conclusions:
                assert decision.mined
                key = (action.id, decision.verdict, decision.mined.block_hash)
                if now_s - self._settled_since_s.setdefault(key, now_s) >= self.settings.second_look_s:
                    lasting.append((action, decision))
            return lasting
        confirmed: set[str] = set()
        for verdict, finality in (("finalize", self.settings.finality), ("reverted", None)):
            wanted = [
                Receipt(d.mined, verdict == "finalize") for _, d in conclusions if d.verdict == verdict and d.mined
            ]
            if wanted:
                said, hint = confirmed_by_another(self.rpc, wanted, finality, than=seen.provider)
                confirmed |= said
                self._hint = self._hint if len(said) == len(wanted) else hint
        return [
            (action, decision)
            for action, decision in conclusions
            if decision.mined and decision.mined.hash in confirmed
        ]

    def _since_s(self, times_s: Mapping[str, float], action: Action) -> float | None:
        at_s = times_s.get(action.id)
        return None if at_s is None else self.clock.monotonic_s() - at_s

    def _act(self, action: Action, decision: Decision, outbox: list[tuple[Action, bytes]]) -> bool:
        if decision.verdict != "ask_foreign":
            self._doubt_since_s.pop(action.id, None)
        match decision.verdict:
            case "sign":
                outbox.append((action, self._sign(action)))
            case "send":
                outbox.append((action, self.states[action.id].attempts[-1].raw))
                return False
            case "replace":
                self._replace(action, outbox)
                return False
            case "mined":
                assert decision.mined
                self._write("tx.mined", action, decision.mined.to_json())
            case "reorged":
                self._write("tx.reorged", action, {"hash": self.states[action.id].attempts[-1].hash})
                self._sent_at_s.pop(action.id, None)
                self._offered_at_s.pop(action.id, None)
                return False
            case "ask_foreign":
                self._refuse_foreign(action)
                return False
            case _:
                return False
        return True

    def _may_sign(self, action: Action, seen: Seen) -> bool:
        if self._halting() or self._in_flight() >= self.settings.window:
            return False
        if self.may_sign is not None and not self.may_sign(action):
            return False
        if seen.nonce > action.nonce:
            self._refuse_foreign(action)
            return False
        if action.reads and not self._reads_hold(action):
            return False
        if action.ready is None:
            return True
        if self._in_flight():
            return False
        request = {"to": action.ready.to, "input": "0x" + action.ready.data.hex()}
        answer = self.rpc.read_all([("eth_call", [request, "latest"])])[0]
        if isinstance(answer, RpcFault) or not any(data_or_nothing(answer)):
            raise NotReady(
                f"{action.title}: scheduled, but the delay of {action.ready.delay_s} s is not over",
                remedy="Run the same command again when it is.",
            )
        return True

    def _reads_hold(self, action: Action) -> bool:
        """Whether the chain still gives what the payload was made from. Raises ``ReadChanged``.

        What depends on earlier actions waits until they are mined. Another answer is only believed when nothing is on its
        way, every endpoint gives one, and it lasts for two blocks: a node may lag behind.
        """
        in_flight = self._in_flight() > 0
        if in_flight and not all(reading.settled for reading in action.reads):
            return False
        other = other_answer(self.rpc, self.plan.deployer, action.reads)
        if other is None:
            self._doubt_since_s.pop(action.id, None)
            return True
        if in_flight or other.unsure:
            self._doubt_since_s.pop(action.id, None)
            return False
        now_s = self.clock.monotonic_s()
        if now_s - self._doubt_since_s.setdefault(action.id, now_s) < self.settings.resend_after_s:
            return False
        raise ReadChanged(
            f"{action.id}: {other}",
            remedy="What was approved no longer holds. `ship deploy --replan` plans the rest with the value of now.",
        )

    def _market(self) -> Fees:
        """Fees to offer now; asked for once a look, not once a transaction."""
        if self._fees is None:
            self._fees, _ = current_fees(self.rpc, self.caps, legacy=self.settings.legacy_fees)
        return self._fees

    def _unsigned(self, action: Action, fees: Fees | None) -> UnsignedTransaction:
        assert fees is not None
        return UnsignedTransaction(
            self.plan.chain["id"], action.nonce, action.to, action.value_wei, action.data, action.gas_limit, fees
        )

    def _sign(self, action: Action) -> bytes:
        """Reserve (unless an earlier run did), sign, and have both on disk before anything leaves."""
        state = self.states[action.id]
        if state.stage == "planned":
            fees = self._market()
            self._within_cost(action, fees)
            reserved = {
                "chain_id": self.plan.chain["id"],
                "genesis_hash": self.plan.chain["genesis_hash"],
                "sender": self.signer.address,
                "payload_sha256": action.payload_digest,
                "address": action.address,
                "gas_limit": action.gas_limit,
                "fees": fees.to_json(),
            }
            self._write("tx.reserved", action, reserved)
            state = self.states[action.id]
        return self._signed(action, self._unsigned(action, state.fees))

    def _signed(self, action: Action, unsigned: UnsignedTransaction) -> bytes:
        try:
            signed = self.signer.sign(unsigned, action)
        except Refused as error:
            if not any(s.attempts for s in self.states.values()):
                raise
            raise SigningStopped(
                error.cause,
                remedy=error.remedy,
                done="Earlier transactions of the plan were sent; this one was not signed.",
            ) from error
        row = {
            "hash": signed.hash,
            "raw": "0x" + signed.raw.hex(),
            "fees": unsigned.fees.to_json(),
            "signer": self.signer.address,
        }
        self._write("tx.signed", action, row)
        return signed.raw

    def _replace(self, action: Action, outbox: list[tuple[Action, bytes]]) -> None:
        newest = self.states[action.id].attempts[-1]
        self._offered_at_s[action.id] = self.clock.monotonic_s()
        try:
            fees = bump(newest.fees, self._market(), self.caps)
            if fees is not None:
                self._within_cost(action, fees)
        except BaseFeeAboveCap as error:
            self._hint, fees = error.cause, None
        else:
            if fees is None:
                self._hint = "the fee cap of the policy does not allow a higher offer"
        if fees is None:
            outbox.append((action, newest.raw))
        else:
            outbox.append((action, self._signed(action, self._unsigned(action, fees))))

    def _within_cost(self, action: Action, fees: Fees) -> None:
        """Fees may have risen since the plan was approved: its worst case must still fit. Raises ``BaseFeeAboveCap``."""
        cap_wei = self.caps.max_cost_wei
        if cap_wei is None:
            return
        worst_wei = int(self.plan.estimate.get("worst_l1_fee_wei", 0))
        for other in self.plan.actions:
            state = self.states[other.id]
            offered = state.attempts[-1].fees if state.attempts and other is not action else fees
            gas_wei = other.gas_limit * offered.max_wei
            if state.mined is not None:
                gas_wei = state.mined.fee_wei
            worst_wei += other.value_wei + gas_wei
        if worst_wei > cap_wei:
            raise BaseFeeAboveCap(
                f"at {fees.max_wei} wei per gas the plan may cost {ether(worst_wei)}, the policy allows {ether(cap_wei)}",
                remedy="Run the same command again when fees are lower, or raise `max-cost` under [policy].",
            )

    def _send(self, outbox: Sequence[tuple[Action, bytes]], *, again: bool) -> None:
        """Hand the bytes to a node; what no node knew after a first time (``again``) to all of them."""
        if not outbox:
            return
        requests: list[Request] = [("eth_sendRawTransaction", ["0x" + raw.hex()]) for _, raw in outbox]
        hints = self.rpc.send_all(requests, widely=again)
        self._hint = hints[-1] if hints else self._hint
        for action, _ in outbox:
            self._handed.add(action.id)
            self._sent_at_s[action.id] = self.clock.monotonic_s()
            self._offered_at_s.setdefault(action.id, self._sent_at_s[action.id])
        self.sent = len(self._handed)

    def _lasting(self, action: Action) -> bool:
        """Whether a doubt about ``action`` has been there for long enough to be asked about everywhere."""
        now_s = self.clock.monotonic_s()
        return now_s - self._doubt_since_s.setdefault(action.id, now_s) >= self.settings.foreign_after_s

    def _finalize(self, landed: Sequence[tuple[Action, Mined]]) -> bool:
        """Prove what the chain holds, read in one batch, before these actions count as done; whether one does now."""
        places = list(dict.fromkeys(place for action, _ in landed for place in _code_places(action)))
        answers = self.rpc.read_all([("eth_getCode", [place, "latest"]) for place in places])
        codes = {place: data_or_nothing(answer) for place, answer in zip(places, answers, strict=True)}
        done = [self._final(action, mined, [codes[p] for p in _code_places(action)]) for action, mined in landed]
        return any(done)

    def _final(self, action: Action, mined: Mined, codes: Sequence[bytes]) -> bool:
        places = _code_places(action)
        problem = self._code_problem(action, places, codes)
        if problem:
            self._hint = f"{action.id}: {problem}"
            if self._lasting(action):
                self._refuse_code(action, places)
            return False
        data = {**mined.to_json(), "finality": str(self.settings.finality), "address": action.address}
        data["code_keccak256"] = "0x" + keccak256(codes[0]).hex() if action.address else None
        self._write("tx.final", action, data)
        return True

    def _code_problem(self, action: Action, places: Sequence[str], codes: Sequence[bytes]) -> str | None:
        for place, code in zip(places, codes, strict=True):
            problem = self.prove(action, code) if action.address and code else None
            if not code or problem:
                return f"{place}: {problem or 'there is no code'}"
        return None

    def _refuse_code(self, action: Action, places: Sequence[str]) -> None:
        """Raises ``WrongCode`` when every endpoint that answers shows the same."""
        shown = [self.rpc.ask_each("eth_getCode", [place, "latest"]) for place in places]
        problems = [
            self._code_problem(action, places, [data_or_nothing(answer) for answer in answers])
            for answers in zip(*shown, strict=True)
            if all(isinstance(answer, str) for answer in answers)
        ]
        if not problems or not all(problems):
            self._doubt_since_s.pop(action.id, None)
            return
        raise WrongCode(
            f"{action.id} at {problems[0]}",
            remedy="Do not use this contract. Ask a second node; if it agrees, find out what deployed it.",
        )

    def _refuse_foreign(self, action: Action) -> None:
        """The nonce is used and no receipt is ours. Raises ``NonceTaken`` once the blocks show whose it is.

        A missing receipt alone proves nothing: a node may withhold it for as long as it likes.
        """
        if not self._lasting(action):
            return
        self._doubt_since_s.pop(action.id, None)
        ours = {attempt.hash.lower() for attempt in self.states[action.id].attempts}
        shown = []
        for endpoint in self.rpc.endpoints:
            try:
                shown.append(used_by(endpoint, self.plan.deployer, action.nonce, self.plan.observed["block_number"]))
            except RpcUnknown as error:
                self._hint = str(error)
        users = {user for user in shown if user is not None}
        if not users or users & ours:
            self._hint = f"nonce {action.nonce} is used, and no endpoint shows by which transaction"
            return
        if not self.rpc.alone and (len(users) > 1 or len([user for user in shown if user]) < 2):
            self._hint = f"nonce {action.nonce} is used, and no two providers show the same transaction of it"
            return
        self._write("tx.foreign", action, {"reason": f"the nonce was used by {', '.join(sorted(map(str, users)))}"})
        raise self._nonce_taken(action)

    # -- stopping ------------------------------------------------------------------------------------------------

    def _nonce_taken(self, action: Action) -> NonceTaken:
        return NonceTaken(
            f"nonce {action.nonce} of {self.plan.deployer}, planned for {action.id}, is not free: "
            f"{self.states[action.id].reason}",
            remedy="Find out who else signs with this key. Then `ship deploy --replan` continues from what is on chain.",
        )

    def _reason(self, action: Action, mined: Mined) -> str:
        """Why it failed, by running it again on the state before its block."""
        request: dict[str, Any] = {
            "from": self.plan.deployer,
            "value": hex(action.value_wei),
            "input": "0x" + action.data.hex(),
        }
        if action.to:
            request["to"] = action.to
        answer: Any = None
        with contextlib.suppress(RpcDown):  # the reason is for people; that it failed is known without it
            answer = self.rpc.read_all([("eth_call", [request, hex(mined.block_number - 1)])])[0]
        if isinstance(answer, RpcFault) and (data := data_or_nothing(answer.data)):
            return explain_revert(data, self.abis)
        return f"failed with {mined.gas_used} of {action.gas_limit} gas used"

    def _halted(self) -> NeedsPerson:
        state = next(s for s in self.states.values() if s.stage in {"reverted", "foreign"})
        if state.stage == "foreign":
            return self._nonce_taken(next(a for a in self.plan.actions if a.id == state.action))
        block = state.mined.block_number if state.mined else "?"
        return ActionReverted(
            f"{state.action} was mined in block {block} and failed: {state.reason}",
            remedy="Correct the cause, then `ship deploy --replan` plans the rest from what is on chain.",
        )

    def _pending(self) -> StillPending:
        waiting = (
            ", ".join(s.action for s in self.states.values() if s.stage in {"signed", "mined"}) or "the next action"
        )
        hint = f" ({self._hint})" if self._hint else ""
        return StillPending(
            f"nothing changed for {self.settings.wait_s:g} s; waiting for {waiting}{hint}",
            remedy="Run the same command again: it goes on with the same bytes.",
        )


def _code_places(action: Action) -> list[str]:
    """Where code must be found before the action counts as done: the new contract's address, or what it called."""
    return [action.address] if action.address else list(action.needs_code)


def _note(state: TxState) -> str:
    """For whoever watches: the newest hash, or the block it is in."""
    if state.mined:
        return f"block {state.mined.block_number}  {state.mined.hash}"
    return state.attempts[-1].hash if state.attempts else ""
