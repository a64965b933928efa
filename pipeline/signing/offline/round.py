"""One round with the machine that holds the key: what has to be signed next is reserved, and written as a request.

A round holds every transaction from the first that is not signed up to the next that has to wait for a timelock. Their
fees are fixed here, since they are signed, with head room for the time the file travels: ``fee_factor``. Reserving first
is what makes it resumable (design §6): the request follows from the journal, and the signatures are held against it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from chains.errors import Refused
from chains.evm.actions import Action
from chains.evm.fees import BaseFeeAboveCap, FeeCaps, bump, current_fees, ether
from chains.evm.lifecycle import TxState, fold
from chains.evm.node import data_or_nothing, quantity
from chains.evm.sender import Sender
from chains.evm.transaction import Fees, UnsignedTransaction
from chains.rpc import RpcFault
from pipeline.bundle import Bundle
from pipeline.plan import Plan
from pipeline.session import Session
from pipeline.signing.base import EvmSigner, TransactionPolicy
from pipeline.signing.offline.abi_slices import slices
from pipeline.signing.offline.files import Request, RequestedTransaction
from pipeline.signing.offline.folder import requests_of
from pipeline.signing.offline_backend import AwaitingSignatures, OfflineBackend

__all__ = ["ExecutionNotOffline", "Round", "RoundOptions"]


class ExecutionNotOffline(Refused):
    """SHIP-O05: an offline signer was to execute a proposal."""

    code = "SHIP-O05"


@dataclass(frozen=True)
class RoundOptions:
    """``fee_factor`` times the offer of now is the most a transaction may pay, within the policy's cap. ``valid_hours`` is
    how long the request may be signed. ``again`` gives up what an open request asked for."""

    fee_factor: float = 2.0
    valid_hours: float = 24.0
    again: bool = False


DEFAULT = RoundOptions()


@dataclass
class Round:
    """``actions`` are the transactions the plan is at, ``policy`` what may be signed of them."""

    session: Session
    plan: Plan
    bundle: Bundle
    backend: OfflineBackend
    policy: TransactionPolicy
    actions: Sequence[Action]
    options: RoundOptions = DEFAULT

    def attach(self, sender: Sender) -> None:
        """Let ``sender`` sign what came back, and stop it, when nothing of it is on its way, where more is needed."""
        self._take_replacements()
        self.backend.missing = self._missing
        sender.may_sign = lambda action: self._may_sign(sender, action)

    def open(self) -> Path | None:
        """The request that waits for signatures, written if it was not yet; ``None`` when nothing waits.

        Raises ``BaseFeeAboveCap``, ``ExecutionNotOffline``, ``PolicyRefused``.
        """
        states = self._states()
        wanted = [a for a in self._batch(states) if not self._signed(states[a.id], a)]
        if not wanted:
            return None
        self._all_planned(wanted)
        waiting = None if self.options.again else self._waiting([self._reserved(states[a.id], a) for a in wanted])
        if waiting is not None:
            return waiting
        fees = self._offer()
        self._within_cost(states, fees)
        transactions = [RequestedTransaction(a.id, self._unsigned(a, fees)) for a in wanted]
        for action, requested in zip(wanted, transactions, strict=True):
            self.policy.allow(requested.unsigned, action)
        for action in wanted:
            self._reserve(action, fees)
        return self._write(transactions)

    # -- beside the sender ---------------------------------------------------------------------------------------

    def _may_sign(self, sender: Sender, action: Action) -> bool:
        """Raises ``AwaitingSignatures`` once nothing else is left to do: it ends the turn, and nothing of it is sent."""
        if self._signed(sender.states[action.id], action):
            return True
        others = [state for key, state in sender.states.items() if key != action.id]
        if any(state.stage in {"signed", "mined"} for state in others):
            return False  # on its way
        before = self.actions[: next(n for n, a in enumerate(self.actions) if a.id == action.id)]
        if any(self._signed(sender.states[a.id], a) and not sender.states[a.id].settled for a in before):
            return False  # about to be signed and sent in this very turn
        if self._nonce_is_used(action):
            return True  # the sender finds out by whom
        path = self.open()
        if path is not None:
            raise self.backend.awaiting("the other machine has to sign before this goes on", path)
        return True

    def _nonce_is_used(self, action: Action) -> bool:
        answer = self.session.chain.rpc.read("eth_getTransactionCount", [self.backend.address, "latest"])
        return quantity(answer) > action.nonce

    def _missing(self, unsigned: UnsignedTransaction) -> AwaitingSignatures:
        action = next(a for a in self.actions if a.nonce == unsigned.nonce)
        if not self._states()[action.id].attempts:
            return self.backend.awaiting(f"the other machine has to sign {action.id}", self.open())
        path = self._open_replacement(action)
        return self.backend.awaiting(f"{action.id} is stuck; a replacement with higher fees has to be signed", path)

    def _open_replacement(self, action: Action) -> Path:
        state = self._states()[action.id]
        newest, known = state.attempts[-1].fees, {a.hash for a in state.attempts}
        for path, request in self._requests():
            for asked in request.transactions:
                higher = asked.unsigned.fees.max_wei > newest.max_wei
                if asked.replaces and asked.action == action.id and higher and _unexpired(request):
                    return path
        fees = bump(newest, self._offer(), self._caps())
        if fees is None:
            raise BaseFeeAboveCap(
                f"{action.id} is stuck after {len(known)} offers, and the fee cap of the policy allows no higher one",
                remedy="Wait, or raise `max-fee-per-gas` under [policy], then run the same command again.",
            )
        unsigned = self._unsigned(action, fees)
        self.policy.allow(unsigned, action)
        return self._write([RequestedTransaction(action.id, unsigned, replaces=True)])

    def _take_replacements(self) -> None:
        """Into the journal, as the sender would have written them: it then sends the newest that it finds there."""
        signer, by_id = EvmSigner(self.backend, self.policy), {a.id: a for a in self.actions}
        for _, request in reversed(self._requests()):
            for asked in request.transactions:
                action = by_id.get(asked.action)
                if not asked.replaces or action is None or not self.backend.has(asked.unsigned):
                    continue
                state = self._states()[action.id]
                newest = state.attempts[-1].fees.max_wei if state.attempts else 0
                if state.stage != "signed" or asked.unsigned.fees.max_wei <= newest:
                    continue  # mined meanwhile, or taken before
                signed = signer.sign(asked.unsigned, action)
                row = {"hash": signed.hash, "raw": "0x" + signed.raw.hex(), "fees": asked.unsigned.fees.to_json()}
                self._append("tx.signed", action, {**row, "signer": self.backend.address})

    # -- what is wanted ------------------------------------------------------------------------------------------

    def _states(self) -> dict[str, TxState]:
        assert self.session.journal is not None
        known = fold(self.session.journal.rows, self.plan.digest)
        return {a.id: known.get(a.id, TxState(a.id)) for a in self.actions}

    def _batch(self, states: Mapping[str, TxState]) -> list[Action]:
        batch: list[Action] = []
        clear = True
        for action in self.actions:
            stage = states[action.id].stage
            if stage in {"planned", "reserved"}:
                if action.ready is not None and not (clear and self._ready(action)):
                    break
                batch.append(action)
            clear = clear and stage == "final"
        return batch

    def _ready(self, action: Action) -> bool:
        assert action.ready is not None
        request = {"to": action.ready.to, "input": "0x" + action.ready.data.hex()}
        answer = self.session.chain.rpc.read_all([("eth_call", [request, "latest"])])[0]
        return not isinstance(answer, RpcFault) and any(data_or_nothing(answer))

    def _reserved(self, state: TxState, action: Action) -> UnsignedTransaction | None:
        return None if state.fees is None else self._unsigned(action, state.fees)

    def _signed(self, state: TxState, action: Action) -> bool:
        unsigned = self._reserved(state, action)
        return unsigned is not None and self.backend.has(unsigned)

    def _waiting(self, wanted: Sequence[UnsignedTransaction | None]) -> Path | None:
        """An open request that asks for all of these, and may still be signed."""
        hashes = {unsigned.signing_hash() if unsigned else None for unsigned in wanted}
        for path, request in self._requests():
            asked: set[bytes | None] = {t.unsigned.signing_hash() for t in request.transactions}
            if hashes <= asked and _unexpired(request):
                return path
        return None

    def _requests(self) -> list[tuple[Path, Request]]:
        return requests_of(self.backend.folder, self.plan.digest)

    def _all_planned(self, wanted: Sequence[Action]) -> None:
        planned = {a.id: a for a in self.plan.body.actions}
        for action in wanted:
            if action.id not in planned or planned[action.id].nonce != action.nonce:
                raise ExecutionNotOffline(
                    f"{action.id} is the execution of a proposal, or comes after one of ours: its bytes are not in the "
                    "approved plan, and the other machine could not check them",
                    remedy="Have an owner of the Safe execute its proposals, then run the same command again.",
                )

    # -- fees ----------------------------------------------------------------------------------------------------

    def _caps(self) -> FeeCaps:
        return self.session.chain.policy.caps.within(self.plan.body.limits)

    def _offer(self) -> Fees:
        caps, chain = self._caps(), self.session.chain
        fees, _ = current_fees(chain.rpc, caps, legacy=chain.identity.legacy_fees)
        max_wei = max(fees.max_wei, fees.max_wei * round(self.options.fee_factor * 100) // 100)
        return Fees(max_wei if caps.max_fee_wei is None else min(max_wei, caps.max_fee_wei), fees.priority_wei)

    def _within_cost(self, states: Mapping[str, TxState], fees: Fees) -> None:
        cap_wei = self._caps().max_cost_wei
        if cap_wei is None:
            return
        worst_wei = int(self.plan.body.estimate.get("worst_l1_fee_wei", 0))
        for action in self.actions:
            state = states[action.id]
            offered = state.attempts[-1].fees if state.attempts else fees
            worst_wei += action.value_wei
            worst_wei += state.mined.fee_wei if state.mined else action.gas_limit * offered.max_wei
        if worst_wei > cap_wei:
            raise BaseFeeAboveCap(
                f"at {fees.max_wei} wei per gas the plan may cost {ether(worst_wei)}, the policy allows {ether(cap_wei)}",
                remedy="Export with a smaller --fee-factor (`ship sign export`), or raise `max-cost` under [policy].",
            )

    # -- writing -------------------------------------------------------------------------------------------------

    def _unsigned(self, action: Action, fees: Fees) -> UnsignedTransaction:
        chain_id = self.plan.body.chain["id"]
        return UnsignedTransaction(
            chain_id, action.nonce, action.to, action.value_wei, action.data, action.gas_limit, fees
        )

    def _append(self, kind: str, action: Action, data: Mapping[str, Any]) -> None:
        assert self.session.journal is not None
        row = {"plan": self.plan.digest, "action": action.id, "nonce": action.nonce, **data}
        self.session.journal.append(kind, row)

    def _reserve(self, action: Action, fees: Fees) -> None:
        chain = self.plan.body.chain
        reserved = {
            "chain_id": chain["id"],
            "genesis_hash": chain["genesis_hash"],
            "sender": self.backend.address,
            "payload_sha256": action.payload_digest,
            "address": action.address,
            "gas_limit": action.gas_limit,
            "fees": fees.to_json(),
        }
        self._append("tx.reserved", action, reserved)

    def _write(self, transactions: Sequence[RequestedTransaction]) -> Path:
        now = datetime.now(UTC)
        actions = {a.id: a for a in self.actions}
        abi, constructors = slices(self.bundle, [actions[t.action] for t in transactions])
        request = Request(
            plan=self.plan,
            signer=self.backend.address,
            currency=self.session.chain.identity.currency,
            created_at=now.strftime("%Y-%m-%dT%H:%M:%S.%f+00:00"),
            expires_at=(now + timedelta(hours=self.options.valid_hours)).strftime("%Y-%m-%dT%H:%M:%S+00:00"),
            transactions=tuple(transactions),
            abi=abi,
            constructors=constructors,
        )
        path = self.backend.folder / f"{request.sha256[:16]}.json"
        request.write(path)
        return path


def _unexpired(request: Request) -> bool:
    return datetime.fromisoformat(request.expires_at) > datetime.now(UTC)
