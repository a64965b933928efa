"""Carries a plan out: reserves, signs, sends and watches, in nonce order, at most a window of transactions at a time.

Every turn looks at the chain once, asks ``reconcile`` about each transaction, and writes what was decided to the
journal before acting on it. It can be killed between any two lines and run again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from chains.base import Clock, Journal, Progress
from chains.errors import NeedsPerson, Resumable
from chains.evm.abi import explain_revert
from chains.evm.actions import Action, EvmPlan
from chains.evm.address import keccak256
from chains.evm.fees import BaseFeeAboveCap, FeeCaps, bump, current_fees
from chains.evm.lifecycle import Mined, TxState, apply, fold
from chains.evm.node import Head, quantity
from chains.evm.reconcile import Decision, Seen, reconcile
from chains.evm.transaction import Fees, SignedTransaction, UnsignedTransaction
from chains.rpc import Rpc, RpcFault, RpcUnknown

__all__ = [
    "ActionReverted",
    "Finality",
    "NonceTaken",
    "NotReady",
    "ReadChanged",
    "SendSettings",
    "Sender",
    "StillPending",
    "TransactionSigner",
    "WrongCode",
]

Finality = int | str
"""A number of confirmations (1 = the block it is in), or a block tag: ``latest``, ``safe``, ``finalized``."""


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


class ChainChanged(Resumable):
    """SHIP-E25: the endpoint began to serve another chain in the middle of a run."""

    code = "SHIP-E25"


class TransactionSigner(Protocol):
    """Signs one planned transaction after the policy and the plan were held against it. ``address`` has a checksum."""

    @property
    def address(self) -> str: ...

    def sign(self, unsigned: UnsignedTransaction, action: Action) -> SignedTransaction: ...


@dataclass(frozen=True)
class SendSettings:
    """Pace and patience; all ``_s`` are seconds.

    ``window`` transactions may be in flight. A transaction is sent again ``resend_after_s`` after no node knows it,
    replaced with higher fees after ``stuck_after_s``; a used nonce without a receipt of ours is called foreign after
    ``foreign_after_s``; the run stops resumably when nothing changed for ``wait_s``.
    """

    finality: Finality
    window: int = 16
    wait_s: float = 300.0
    poll_s: float = 1.0
    resend_after_s: float = 6.0
    stuck_after_s: float = 60.0
    foreign_after_s: float = 60.0
    legacy_fees: bool = False


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
    states: dict[str, TxState] = field(default_factory=dict)
    sent: int = 0
    _sent_at_s: dict[str, float] = field(default_factory=dict)
    _foreign_since_s: dict[str, float] = field(default_factory=dict)
    _fees: Fees | None = None
    _hint: str = ""

    def run(self) -> dict[str, TxState]:
        """Until every action is final. Raises one of this module's errors, each leaving a resumable journal."""
        self._fold()
        for state in self.states.values():
            if state.stage == "final":
                self.progress.item(state.action, "final", "from an earlier run")
        changed_s = self.clock.monotonic_s()
        while not self._finished():
            seen = self._look()
            if seen is not None and self._turn(seen):
                changed_s = self.clock.monotonic_s()
                continue
            self._raise_if_halted()
            if self.clock.monotonic_s() - changed_s > self.settings.wait_s:
                raise self._pending()
            self.clock.sleep_s(self.settings.poll_s)
        return self.states

    # -- state ---------------------------------------------------------------------------------------------------

    def _fold(self) -> None:
        known = fold(self.journal.rows, self.digest)
        self.states = {a.id: known.get(a.id, TxState(a.id)) for a in self.plan.actions}

    def _write(self, kind: str, action: Action, data: Mapping[str, Any]) -> None:
        row = self.journal.append(kind, {"plan": self.digest, "action": action.id, "nonce": action.nonce, **data})
        self.states[action.id] = apply(self.states[action.id], row)
        self.progress.item(action.id, self.states[action.id].stage, "")

    def _finished(self) -> bool:
        return all(s.stage == "final" for s in self.states.values())

    def _halting(self) -> bool:
        return any(s.stage in {"reverted", "foreign"} for s in self.states.values())

    def _in_flight(self) -> int:
        return sum(s.stage == "signed" for s in self.states.values())

    # -- looking -------------------------------------------------------------------------------------------------

    def _look(self) -> Seen | None:
        """One look at the chain in two batches, or ``None`` when the answers make no sense."""
        waiting = [s for s in self.states.values() if s.stage in {"signed", "mined"}]
        hashes = [a.hash for s in waiting for a in s.attempts]
        pending = [s.attempts[-1].hash for s in waiting if s.stage == "signed"]
        tag = self.settings.finality if isinstance(self.settings.finality, str) else "latest"
        requests: list[tuple[str, list[Any]]] = [
            ("eth_chainId", []),
            ("eth_getBlockByNumber", ["latest", False]),
            ("eth_getBlockByNumber", [tag, False]),
            ("eth_getTransactionCount", [self.plan.deployer, "latest"]),
        ]
        requests += [("eth_getTransactionReceipt", [h]) for h in hashes]
        requests += [("eth_getTransactionByHash", [h]) for h in pending]
        answers = self.rpc.read_all(requests)
        try:
            chain_id, head = quantity(answers[0]), Head.from_rpc(answers[1])
            final_number = Head.from_rpc(answers[2]).number if isinstance(answers[2], dict) else -1
            if isinstance(self.settings.finality, int):
                final_number = head.number - self.settings.finality + 1
            nonce = quantity(answers[3])
            receipts = {h: r for h, r in zip(hashes, answers[4 : 4 + len(hashes)], strict=True) if isinstance(r, dict)}
            numbers = sorted({quantity(r["blockNumber"]) for r in receipts.values()})
        except (ValueError, KeyError, TypeError):
            return None
        if chain_id != self.plan.chain["id"]:
            raise ChainChanged(
                f"the endpoint now serves chain {chain_id} instead of {self.plan.chain['id']}",
                done="Nothing was signed for the other chain.",
                remedy="Correct the endpoint, then run the same command again.",
            )
        pooled = frozenset(h for h, t in zip(pending, answers[4 + len(hashes) :], strict=True) if isinstance(t, dict))
        return Seen(nonce, head.number, final_number, receipts, pooled, self._canonical(numbers))

    def _canonical(self, numbers: Sequence[int]) -> dict[int, str]:
        blocks = self.rpc.read_all([("eth_getBlockByNumber", [hex(n), False]) for n in numbers])
        return {n: str(b["hash"]) for n, b in zip(numbers, blocks, strict=True) if isinstance(b, dict) and "hash" in b}

    # -- acting --------------------------------------------------------------------------------------------------

    def _turn(self, seen: Seen) -> bool:
        """Act on every transaction once; whether anything changed."""
        self._fees = None
        changed = False
        outbox: list[tuple[Action, bytes]] = []
        for action in self.plan.actions:
            state = self.states[action.id]
            if state.settled:
                continue
            if state.stage in {"planned", "reserved"}:
                if self._halting() or self._in_flight() >= self.settings.window or not self._may_sign(action, seen):
                    break
            decision = reconcile(
                state,
                seen,
                sent_before_s=self._since_sent_s(action),
                resend_after_s=self.settings.resend_after_s,
                stuck_after_s=self.settings.stuck_after_s,
            )
            changed |= self._act(action, decision, outbox)
        self._send(outbox)
        return changed

    def _since_sent_s(self, action: Action) -> float | None:
        at_s = self._sent_at_s.get(action.id)
        return None if at_s is None else self.clock.monotonic_s() - at_s

    def _act(self, action: Action, decision: Decision, outbox: list[tuple[Action, bytes]]) -> bool:
        if decision.verdict != "ask_foreign":
            self._foreign_since_s.pop(action.id, None)
        match decision.verdict:
            case "sign":
                outbox.append((action, self._sign(action)))
            case "send":
                outbox.append((action, self.states[action.id].attempts[-1].raw))
                return False
            case "replace":
                return self._replace(action, outbox)
            case "mined":
                assert decision.mined
                self._write("tx.mined", action, decision.mined.to_json())
            case "reorged":
                self._write("tx.reorged", action, {"hash": self.states[action.id].attempts[-1].hash})
                self._sent_at_s.pop(action.id, None)
            case "reverted":
                assert decision.mined
                self._write(
                    "tx.reverted", action, {**decision.mined.to_json(), "reason": self._reason(action, decision.mined)}
                )
            case "finalize":
                assert decision.mined
                self._finalize(action, decision.mined)
            case "ask_foreign":
                return self._ask_foreign(action)
            case _:
                return False
        return True

    def _may_sign(self, action: Action, seen: Seen) -> bool:
        if seen.nonce > action.nonce:
            self._write("tx.foreign", action, {"reason": "used before it was signed"})
            raise self._nonce_taken(action)
        if action.reads and not self._reads_hold(action):
            return False
        if action.ready is None:
            return True
        if self._in_flight():
            return False
        request = {"to": action.ready.to, "input": "0x" + action.ready.data.hex()}
        answer = self.rpc.read_all([("eth_call", [request, "latest"])])[0]
        if not isinstance(answer, str) or not any(bytes.fromhex(answer[2:])):
            raise NotReady(
                f"{action.title}: scheduled, but the delay of {action.ready.delay_s} s is not over",
                remedy="Run the same command again when it is.",
            )
        return True

    def _reads_hold(self, action: Action) -> bool:
        """Whether every endpoint still gives what the payload was made from. What depends on earlier actions waits for them.

        A different answer is only believed when all give one, nothing is on its way, and it stays for a while.
        """
        in_flight = self._in_flight() > 0
        if in_flight and not all(reading.settled for reading in action.reads):
            return False
        for reading in action.reads:
            request = {"from": self.plan.deployer, "to": reading.to, "input": "0x" + reading.data.hex()}
            expected = "0x" + reading.answer.hex()
            answers = [a for a in self.rpc.ask_each("eth_call", [request, "latest"]) if not isinstance(a, RpcUnknown)]
            if answers and all(a == expected for a in answers):
                continue
            if in_flight or not answers or any(a == expected for a in answers):
                self._foreign_since_s.pop(action.id, None)
                return False
            now_s = self.clock.monotonic_s()
            if now_s - self._foreign_since_s.setdefault(action.id, now_s) < self.settings.resend_after_s:
                return False  # two blocks' time for a node that lags
            found = answers[0] if isinstance(answers[0], str) else "a revert"
            raise ReadChanged(
                f"{action.id}: `{reading.call}` of {reading.to} gave {expected} when the plan was approved, and gives {found} now",
                remedy="What was approved no longer holds. `ship deploy --replan` plans the rest with the value of now.",
            )
        self._foreign_since_s.pop(action.id, None)
        return True

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
        signed = self.signer.sign(unsigned, action)
        row = {
            "hash": signed.hash,
            "raw": "0x" + signed.raw.hex(),
            "fees": unsigned.fees.to_json(),
            "signer": self.signer.address,
        }
        self._write("tx.signed", action, row)
        return signed.raw

    def _replace(self, action: Action, outbox: list[tuple[Action, bytes]]) -> bool:
        newest = self.states[action.id].attempts[-1]
        self._sent_at_s[action.id] = self.clock.monotonic_s()
        try:
            market = self._market()
        except BaseFeeAboveCap as error:
            self._hint = error.cause
            return False
        fees = bump(newest.fees, market, self.caps)
        if fees is None:
            self._hint = "the fee cap of the policy does not allow a higher offer"
            outbox.append((action, newest.raw))
            return False
        outbox.append((action, self._signed(action, self._unsigned(action, fees))))
        return True

    def _send(self, outbox: Sequence[tuple[Action, bytes]]) -> None:
        if not outbox:
            return
        hints = self.rpc.send_all([("eth_sendRawTransaction", ["0x" + raw.hex()]) for _, raw in outbox])
        self._hint = hints[-1] if hints else self._hint
        for action, _ in outbox:
            if action.id not in self._sent_at_s:
                self.sent += 1
            self._sent_at_s[action.id] = self.clock.monotonic_s()

    def _finalize(self, action: Action, mined: Mined) -> None:
        """Prove what the chain holds before the action counts as done."""
        code = b""
        place = action.address or (action.to if action.needs_code else None)
        if place is not None:
            answer = self.rpc.read("eth_getCode", [place, "latest"])
            code = bytes.fromhex(str(answer)[2:])
            problem = "there is no code" if not code else None
            if action.address and code:
                problem = self.prove(action, code)
            if problem:
                raise WrongCode(
                    f"{action.id} at {place}: {problem}",
                    remedy="Do not use this contract. Ask a second node; if it agrees, find out what deployed it.",
                )
        rule = self.settings.finality
        data = {**mined.to_json(), "finality": str(rule), "address": action.address}
        data["code_keccak256"] = "0x" + keccak256(code).hex() if action.address else None
        self._write("tx.final", action, data)

    def _ask_foreign(self, action: Action) -> bool:
        """The nonce is used and no receipt is ours: only every endpoint's word, after a while, makes it foreign."""
        now_s = self.clock.monotonic_s()
        since_s = self._foreign_since_s.setdefault(action.id, now_s)
        if now_s - since_s < self.settings.foreign_after_s:
            return False
        for attempt in self.states[action.id].attempts:
            for answer in self.rpc.ask_each("eth_getTransactionReceipt", [attempt.hash]):
                if isinstance(answer, RpcUnknown | dict):
                    return False  # no answer is no evidence, and a receipt is ours
        self._write("tx.foreign", action, {"reason": "the nonce was used by another transaction"})
        raise self._nonce_taken(action)

    # -- stopping ------------------------------------------------------------------------------------------------

    def _nonce_taken(self, action: Action) -> NonceTaken:
        return NonceTaken(
            f"nonce {action.nonce} of {self.plan.deployer}, planned for {action.id}, was used by another transaction",
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
        answer = self.rpc.read_all([("eth_call", [request, hex(mined.block_number - 1)])])[0]
        if isinstance(answer, RpcFault) and answer.data:
            return explain_revert(bytes.fromhex(answer.data.removeprefix("0x")), self.abis)
        return f"failed with {mined.gas_used} of {action.gas_limit} gas used"

    def _raise_if_halted(self) -> None:
        if not self._halting() or self._in_flight():
            return
        by_id = {a.id: a for a in self.plan.actions}
        for state in self.states.values():
            if state.stage == "reverted":
                raise ActionReverted(
                    f"{state.action} was mined in block {state.mined.block_number if state.mined else '?'} and failed: {state.reason}",
                    remedy="Correct the cause, then `ship deploy --replan` plans the rest from what is on chain.",
                )
            if state.stage == "foreign":
                raise self._nonce_taken(by_id[state.action])

    def _pending(self) -> StillPending:
        waiting = (
            ", ".join(s.action for s in self.states.values() if s.stage in {"signed", "mined"}) or "the next action"
        )
        hint = f" (the node's last word: {self._hint})" if self._hint else ""
        return StillPending(
            f"nothing changed for {self.settings.wait_s:g} s; waiting for {waiting}{hint}",
            remedy="Run the same command again: it goes on with the same bytes.",
        )
