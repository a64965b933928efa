"""Executing a proposal ourselves, once there are signatures enough: one more transaction of the deployer's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chains.evm.lifecycle import fold
from chains.evm.node import quantity
from chains.evm.proposal import Proposal
from chains.evm.safe.lifecycle import Execution, ProposalState
from chains.evm.safe.reading import SafeState, approvals, read_safe
from chains.evm.safe.signatures import OwnerSignature, approved, pack
from chains.evm.safe.typed import SafeTx, exec_calldata
from chains.rpc import RpcFault
from pipeline.plan import Plan
from pipeline.proposals.collecting import valid
from pipeline.proposals.parts import Part, next_nonce
from pipeline.session import Session
from pipeline.signing.carried import gas_allowed

__all__ = ["Executor"]


@dataclass(frozen=True)
class Executor:
    """Finds the next execution that can be sent, and writes it down before it is."""

    session: Session
    plan: Plan
    deployer: str

    def execution(self, proposal: Proposal, state: ProposalState, safe: SafeState, part: Part) -> Execution | None:
        """The proposal's own execution, or the approval by an owner that is a Safe; ``None`` when neither can be sent.

        One that an earlier run signed comes first, whatever else is possible: its bytes may still be mined.
        """
        assert self.session.journal is not None
        txs = fold(self.session.journal.rows, self.plan.digest)
        for execution in state.executions:
            tx = txs.get(execution.id)
            alive = tx is None or tx.stage in {"planned", "reserved", "signed", "mined"}
            if alive and (self.is_open(execution, state) or (tx is not None and tx.attempts)):
                return execution
        if not part.movable:
            self.session.ui.note(
                f"{proposal.id}: whatever its signatures, the owners have to execute it: addresses that come after it rest "
                "on the deployer's nonce"
            )
            return None
        assert state.tx is not None
        signatures = self._agreed(safe, state.tx, state.hash, state)
        if len(signatures) >= safe.threshold:
            return self._new(proposal, state, "execute", safe, state.hash, state.tx, signatures, part)
        for nested in state.nested:
            inner = read_safe(self.session.chain.rpc, nested.safe, self.session.chain.identity.id)
            if inner is None or inner.nonce != nested.tx.nonce:
                continue
            signatures = self._agreed(inner, nested.tx, nested.hash, state)
            if len(signatures) >= inner.threshold:
                return self._new(proposal, state, "approve", inner, nested.hash, nested.tx, signatures, part)
        return None

    @staticmethod
    def is_open(execution: Execution, state: ProposalState) -> bool:
        """Whether what it executes is still wanted: a hash that is not dead."""
        return execution.about in {state.hash, *(nested.hash for nested in state.nested)}

    def _agreed(self, safe: SafeState, tx: SafeTx, about: str, state: ProposalState) -> list[OwnerSignature]:
        """One signature an owner: ours as the sender's, approvals on chain, and those that were collected."""
        holding, _ = valid(self.session.chain.rpc, safe, tx, about, state.signed_by(about))
        found = {s.owner: s for s in holding}
        for owner in approvals(self.session.chain.rpc, safe, bytes.fromhex(about[2:])):
            found[owner] = approved(owner)
        if self.deployer in safe.owners:
            found[self.deployer] = approved(self.deployer)
        own_first = sorted(found.values(), key=lambda s: (s.owner != self.deployer, s.kind != "approved", s.owner))
        return own_first[: safe.threshold]

    def _new(
        self,
        proposal: Proposal,
        state: ProposalState,
        verb: str,
        safe: SafeState,
        about: str,
        tx: SafeTx,
        signatures: Sequence[OwnerSignature],
        part: Part,
    ) -> Execution | None:
        journal = self.session.journal
        assert journal is not None
        data = exec_calldata(tx, pack(signatures))
        gas_limit = self._gas(safe.address, data)
        if gas_limit is None or gas_limit > gas_allowed(self.plan.body, proposal.id):
            self.session.ui.note(f"{proposal.id}: there are signatures enough, but the node would not execute it now")
            return None
        name = f"{proposal.id}.{verb}"
        count = sum(e.id.startswith(name) for e in state.executions)
        execution = Execution(
            name if not count else f"{name}.{count + 1}",
            about,
            next_nonce(part, journal.rows, self.plan.digest),
            safe.address,
            data,
            gas_limit,
        )
        journal.append(
            "proposal.executing",
            {
                "plan": self.plan.digest,
                "proposal": proposal.id,
                "action": execution.id,
                "safe_tx_hash": about,
                "nonce": execution.nonce,
                "to": execution.to,
                "data": "0x" + data.hex(),
                "gas_limit": gas_limit,
                "owners": [s.owner for s in signatures],
            },
        )
        return execution

    def _gas(self, safe: str, data: bytes) -> int | None:
        request = {"from": self.deployer, "to": safe, "input": "0x" + data.hex()}
        answer = self.session.chain.rpc.read_all([("eth_estimateGas", [request])])[0]
        if isinstance(answer, RpcFault):
            return None
        gas = quantity(answer)
        return gas + gas * self.session.chain.policy.gas_margin_bps // 10_000
