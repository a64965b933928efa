"""Carries the proposals of a plan: makes, signs, exports and watches them, and executes those that have enough signatures.

Each turn looks at the chain first. What was decided is in the journal before anything is signed or shown to anybody.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from chains.base import Journal
from chains.errors import Resumable
from chains.evm.actions import Action
from chains.evm.holding import other_answer
from chains.evm.lifecycle import Mined, fold
from chains.evm.proposal import Proposal
from chains.evm.safe.lifecycle import ProposalState, fold_proposals
from chains.evm.safe.reading import SafeState, SafeUnsupported, checked_hash, read_safe
from chains.evm.safe.watching import heads, undone, watch
from chains.evm.sending.errors import ActionReverted, NotReady, ReadChanged
from pipeline.plan import Plan
from pipeline.proposals.executing import Executor
from pipeline.proposals.parts import Part
from pipeline.proposals.sharing import Sharing
from pipeline.session import Session
from pipeline.signing.safe_tx import SafeTxSigner

__all__ = ["Carrier", "ProposalOutstanding"]


class ProposalOutstanding(Resumable):
    """SHIP-E33: a proposal waits for the owners of a Safe."""

    code = "SHIP-E33"


Send = Callable[[Action], None]
"""Has one execution signed, sent and final; raises what the sender raises."""


@dataclass
class Carrier:
    """One run's work on the proposals of ``plan``."""

    session: Session
    plan: Plan
    signer: SafeTxSigner
    send: Send
    journal: Journal = field(init=False)
    sharing: Sharing = field(init=False)

    def __post_init__(self) -> None:
        assert self.session.journal is not None
        self.journal = self.session.journal
        self.sharing = Sharing(self.session, self.plan, self.signer)

    def carry(self, part: Part) -> None:
        """Until every proposal of ``part`` is executed. Raises ``ProposalOutstanding`` or ``NotReady`` otherwise."""
        waiting: list[str] = []
        busy: set[str] = set()
        for proposal in part.proposals:
            if proposal.safe in busy or not self._may_begin(proposal, part, waiting):
                busy.add(proposal.safe)
                continue
            problem = self._until_settled(proposal, part)
            if problem:
                waiting.append(problem)
                busy.add(proposal.safe)
        if waiting:
            raise ProposalOutstanding(
                "; ".join(waiting),
                done="The proposals are in the journal and exported; nothing else of the plan can go on before them.",
                remedy=f"Have the owners sign and execute; then `ship deploy --chain {self.plan.target}` goes on. "
                "Signatures collected elsewhere: `ship proposals import FILE`.",
            )

    def state(self, proposal: Proposal) -> ProposalState:
        return fold_proposals(self.journal.rows, self.plan.digest).get(proposal.id, ProposalState(proposal.id))

    def _may_begin(self, proposal: Proposal, part: Part, waiting: Sequence[str]) -> bool:
        """A timelock's operation is not proposed before it may be executed, and nothing is whose values no longer hold."""
        if self.state(proposal).stage != "planned":
            return True
        for action in part.actions:
            if action.id in proposal.actions:
                self._must_hold(action)
            if action.id in proposal.actions and action.ready is not None and not self._ready(action):
                if waiting:
                    return False
                raise NotReady(
                    f"{action.title}: scheduled, but the delay of {action.ready.delay_s} s is not over",
                    remedy="Run the same command again when it is.",
                )
        return True

    def _must_hold(self, action: Action) -> None:
        """Everything before it is mined: the chain gives what the payload was made from, or what was approved is void."""
        other = other_answer(self.session.chain.rpc, self.plan.body.deployer, action.reads)
        if other is None:
            return
        if other.unsure:
            raise NotReady(f"{action.id}: the endpoints do not agree: {other}", remedy="Run the same command again.")
        raise ReadChanged(
            f"{action.id}: {other}",
            remedy="What was approved no longer holds. `ship deploy --replan` plans the rest with the value of now.",
        )

    def _ready(self, action: Action) -> bool:
        assert action.ready is not None
        request = {"to": action.ready.to, "input": "0x" + action.ready.data.hex()}
        answer = self.session.chain.rpc.read_all([("eth_call", [request, "latest"])])[0]
        return isinstance(answer, str) and any(bytes.fromhex(answer[2:]))

    def _until_settled(self, proposal: Proposal, part: Part) -> str | None:
        """What is missing, or ``None`` when it is executed and final."""
        self._take_back(proposal)
        while True:
            state = self.state(proposal)
            if state.stage == "executed":
                self._show(proposal, "final")
                return None
            if state.stage == "planned":
                self._make(proposal, state)
                continue
            if self._looked(proposal, state):
                continue
            safe = self._safe(proposal.safe)
            missing = self.sharing.share(proposal, state, safe)
            state = self.state(proposal)
            executor = Executor(self.session, self.plan, self.signer.address)
            execution = executor.execution(proposal, state, safe, part)
            if execution is None:
                return missing
            try:
                self.send(execution.action())
            except ActionReverted:
                # Somebody else may have been faster; then the chain has our hash, and the revert cost only gas.
                if executor.is_open(execution, state) and not self._looked(proposal, state):
                    raise

    # -- looking ---------------------------------------------------------------------------------------------------

    def _take_back(self, proposal: Proposal) -> None:
        """What an earlier run saw final, and a reorganization deeper than that undid: the same hash is open again, and the
        bytes by which we executed it are still ours to send."""
        state = self.state(proposal)
        txs = fold(self.journal.rows, self.plan.digest)
        for execution in state.executions:
            tx = txs.get(execution.id)
            if tx is not None and tx.stage == "final" and tx.mined and undone(self.session.chain.rpc, tx.mined.hash):
                data = {"action": execution.id, "nonce": tx.nonce, "hash": tx.mined.hash}
                self.journal.append("tx.reorged", {"plan": self.plan.digest, **data})
        if state.stage == "executed" and undone(self.session.chain.rpc, state.mined):
            actions = list(proposal.actions)
            self._write("proposal.reorged", proposal, {"actions": actions, "hash": state.mined})
            self.session.ui.note(
                f"{proposal.id}: its execution {state.mined} was final and is gone after a reorganization; {state.hash} is "
                "open again, with the signatures it had"
            )

    def _looked(self, proposal: Proposal, state: ProposalState) -> bool:
        """Look whether it was executed or superseded, waiting for finality; whether a row came of it."""
        chain = self.session.chain
        deadline_s = self.session.clock.monotonic_s() + chain.policy.wait_s
        while True:
            seen = watch(chain.rpc, proposal.safe, state, chain.policy.finality)
            if seen.verdict == "executed" and seen.mined:
                self._executed(proposal, state, seen.about, seen.mined)
                return True
            if seen.verdict == "superseded":
                self._superseded(proposal, state)
                return True
            if seen.verdict == "open":
                return False
            if self.session.clock.monotonic_s() > deadline_s:
                raise ProposalOutstanding(
                    f"{proposal.id} was executed, but its block is not final yet",
                    remedy="Run the same command again.",
                )
            self.session.clock.sleep_s(max(0.05, min(chain.identity.block_time_s / 2, 3.0)))

    def _executed(self, proposal: Proposal, state: ProposalState, about: str, mined: Mined) -> None:
        own = {e.id for e in state.executions if e.about == about}
        hashes = {r.data["hash"] for r in self.journal.rows if r.kind == "tx.signed" and r.data["action"] in own}
        self._write(
            "proposal.executed",
            proposal,
            {
                "actions": list(proposal.actions),
                "safe": proposal.safe,
                "safe_tx_hash": about,
                "safe_nonce": self._nonce_of(about),
                "executed_by": "ship" if mined.hash in hashes else "others",
                **mined.to_json(),
            },
        )
        self._show(proposal, "final")

    def _nonce_of(self, about: str) -> int:
        made = (r for r in self.journal.rows if r.kind == "proposal.made" and r.data["safe_tx_hash"] == about)
        return int(next(made).data["tx"]["nonce"])

    def _superseded(self, proposal: Proposal, state: ProposalState) -> None:
        assert state.tx is not None
        dead = [{"owner": owner, "signature": data} for owner, data in sorted(state.signed_by(state.hash).items())]
        nonce = state.tx.nonce
        self._write(
            "proposal.superseded",
            proposal,
            {
                "actions": list(proposal.actions),
                "safe": proposal.safe,
                "safe_tx_hash": state.hash,
                "safe_nonce": nonce,
                "reason": f"another transaction took nonce {nonce} of the Safe",
                "signatures": dead,
            },
        )
        owners = ", ".join(d["owner"] for d in dead) or "nobody"
        self.session.ui.note(
            f"{proposal.id}: another transaction took nonce {nonce} of the Safe {proposal.safe}; its hash {state.hash} is "
            f"dead, and so are the signatures of it by: {owners}"
        )

    # -- making ----------------------------------------------------------------------------------------------------

    def _safe(self, address: str) -> SafeState:
        safe = read_safe(self.session.chain.rpc, address, self.session.chain.identity.id)
        if safe is None:
            raise SafeUnsupported(
                f"there is no Safe at {address} any more", remedy="Plan anew with `ship deploy --replan`."
            )
        return safe

    def _make(self, proposal: Proposal, state: ProposalState) -> None:
        safe = self._safe(proposal.safe)
        tx = proposal.tx.with_nonce(max(safe.nonce, proposal.tx.nonce if not state.dead else 0))
        if tx.nonce != safe.nonce:
            # The endpoint lags behind what the plan was made from: nothing is proposed with a nonce that is gone.
            raise ProposalOutstanding(
                f"the Safe {safe.address} is seen with nonce {safe.nonce}, the plan was made at {tx.nonce}",
                remedy="Run the same command again when the endpoint has caught up.",
            )
        digest = checked_hash(self.session.chain.rpc, safe, tx)
        latest, _ = heads(self.session.chain.rpc, self.session.chain.policy.finality)
        self._write(
            "proposal.made",
            proposal,
            {
                "actions": list(proposal.actions),
                "safe": proposal.safe,
                "safe_tx_hash": "0x" + digest.hex(),
                "tx": tx.to_json(),
                "block_number": latest.number,
                "block_hash": latest.hash,
                "owners": list(safe.owners),
                "threshold": safe.threshold,
            },
        )
        self._show(proposal, "proposed")

    def _write(self, kind: str, proposal: Proposal, data: dict[str, object]) -> None:
        self.journal.append(kind, {"plan": self.plan.digest, "proposal": proposal.id, **data})

    def _show(self, proposal: Proposal, word: str) -> None:
        for action in proposal.actions:
            self.session.ui.item(action, word, f"Safe {proposal.safe}")
