"""What is done about a proposal that is open: our own signature, owners that are Safes, the service, the file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from chains.canonical import pretty
from chains.evm.proposal import Proposal
from chains.evm.safe.builder import proposal_file
from chains.evm.safe.lifecycle import Nested, ProposalState, fold_proposals
from chains.evm.safe.reading import SafeState, approvals, checked_hash, read_safe
from chains.evm.safe.typed import SafeTx, approve_hash
from chains.files import write_atomic
from pipeline.manifest.secrets import SecretRef, default_stores, resolve_secret
from pipeline.plan import Plan
from pipeline.proposals.collecting import Given, SignaturesRefused, accepted, known, valid
from pipeline.proposals.service import SafeService, ServiceFailed
from pipeline.session import Session
from pipeline.signing.safe_tx import SafeTxSigner

__all__ = ["Sharing", "keep_signature", "proposal_path"]


def proposal_path(session: Session, safe_tx_hash: str) -> Path:
    return session.state.folder / "proposals" / f"{safe_tx_hash}.json"


def keep_signature(
    session: Session, plan: str, proposal: str, safe_tx_hash: str, owner: str, signature: bytes, source: str
) -> None:
    assert session.journal is not None
    session.journal.append(
        "proposal.signed",
        {
            "plan": plan,
            "proposal": proposal,
            "safe_tx_hash": safe_tx_hash,
            "owner": owner,
            "signature": "0x" + signature.hex(),
            "source": source,
        },
    )


@dataclass(frozen=True)
class Sharing:
    """Brings one proposal before its owners. Everything is done again safely on every run."""

    session: Session
    plan: Plan
    signer: SafeTxSigner

    def share(self, proposal: Proposal, state: ProposalState, safe: SafeState) -> str:
        """What is missing, in words."""
        self._sign(proposal, state, safe)
        self._ask_nested(proposal, state, safe)
        told = self._service(proposal, self._state(proposal), safe)
        state = self._state(proposal)
        path = self.export(proposal, state)
        digest = bytes.fromhex(state.hash[2:])
        assert state.tx is not None
        holding, fallen = valid(self.session.chain.rpc, safe, state.tx, state.hash, state.signed_by(state.hash))
        for owner in fallen:
            self.session.ui.note(f"{proposal.id}: the owner {owner}, a contract, no longer stands by its signature")
        agreed = {s.owner for s in holding}
        agreed |= set(approvals(self.session.chain.rpc, safe, digest))
        titles = [a.title.removeprefix("propose: ") for a in self.plan.body.actions if a.id in proposal.actions]
        return (
            f"{proposal.id} ({', '.join(titles)}) waits for the Safe {safe.address}: {len(agreed)} of {safe.threshold} "
            f"signatures for {state.hash}, nonce {state.tx.nonce}; file "
            f"{path.relative_to(self.session.project.root)}{told}"
        )

    def export(self, proposal: Proposal, state: ProposalState) -> Path:
        path = proposal_path(self.session, state.hash)
        title = f"{self.plan.project} {self.plan.version} on {self.plan.target}"
        data = pretty(proposal_file(self.plan.body, title, proposal, state))
        if not path.exists() or path.read_bytes() != data:
            write_atomic(path, data)
        return path

    def _state(self, proposal: Proposal) -> ProposalState:
        assert self.session.journal is not None
        return fold_proposals(self.session.journal.rows, self.plan.digest)[proposal.id]

    # -- signatures ------------------------------------------------------------------------------------------------

    def _keep(self, proposal: Proposal, safe_tx_hash: str, owner: str, signature: bytes, source: str) -> None:
        keep_signature(self.session, self.plan.digest, proposal.id, safe_tx_hash, owner, signature, source)

    def _sign(self, proposal: Proposal, state: ProposalState, safe: SafeState) -> None:
        own = self.signer.address
        if own in safe.owners and own not in state.signed_by(state.hash):
            assert state.tx is not None
            self._keep(proposal, state.hash, own, self.signer.sign(proposal.id, state.tx), "signer")

    def _ask_nested(self, proposal: Proposal, state: ProposalState, safe: SafeState) -> None:
        """An owner that is a Safe approves the hash by a transaction of its own; asked anew when its nonce moves."""
        rpc, digest = self.session.chain.rpc, bytes.fromhex(state.hash[2:])
        done = approvals(rpc, safe, digest)
        known = {nested.safe: nested for nested in state.nested}
        for owner in safe.owners:
            inner = read_safe(rpc, owner, self.session.chain.identity.id) if owner not in done else None
            if inner is None:
                continue
            nested = known.get(owner)
            if nested is None or nested.tx.nonce < inner.nonce:
                tx = SafeTx(safe.address, 0, approve_hash(digest), 0, inner.nonce)
                nested = Nested(owner, tx, "0x" + checked_hash(rpc, inner, tx).hex())
                self._write_nested(proposal, nested)
            own = self.signer.address
            if own in inner.owners and own not in state.signed_by(nested.hash):
                assert state.tx is not None
                signature = self.signer.sign_nested(proposal.id, state.tx, owner, nested.tx)
                self._keep(proposal, nested.hash, own, signature, "signer")

    def _write_nested(self, proposal: Proposal, nested: Nested) -> None:
        assert self.session.journal is not None
        row = {"safe": nested.safe, "tx": nested.tx.to_json(), "safe_tx_hash": nested.hash}
        self.session.journal.append("proposal.nested", {"plan": self.plan.digest, "proposal": proposal.id, **row})

    # -- the service -----------------------------------------------------------------------------------------------

    def _service(self, proposal: Proposal, state: ProposalState, safe: SafeState) -> str:
        """Propose there what it does not have, take the signatures it has. Its failures are told, never raised."""
        spec = self.session.target.spec.safe
        if spec.service_url is None:
            return ""
        key = (
            resolve_secret(SecretRef(spec.api_key), default_stores(self.session.project.root)) if spec.api_key else None
        )
        service = SafeService(spec.service_url, key.reveal() if key else None)
        try:
            found = service.confirmations(state.hash)
            own = state.signed_by(state.hash).get(self.signer.address)
            if found is None:
                if own is None:
                    return "; not sent to the service: our key is no owner"
                assert state.tx is not None
                service.propose(safe.address, state.tx, state.hash, self.signer.address, bytes.fromhex(own[2:]))
                return "; proposed to the service"
            self._take(proposal, state, safe, found)
            if own is not None and bytes.fromhex(own[2:]) not in [given.signature for given in found]:
                service.confirm(state.hash, bytes.fromhex(own[2:]))
        except ServiceFailed as error:
            self.session.ui.note(f"the Safe Transaction Service gave no usable answer: {error}")
            return "; the service was not reached"
        return "; the service has it"

    def _take(self, proposal: Proposal, state: ProposalState, safe: SafeState, found: Sequence[Given]) -> None:
        assert state.tx is not None
        kept = state.signed_by(state.hash)
        for given in found:
            try:
                signature = accepted(self.session.chain.rpc, safe, state.tx, given)
            except SignaturesRefused as error:
                self.session.ui.note(f"a signature of the service is left out: {error.cause}")
                continue
            if not known(signature, kept):
                self._keep(proposal, state.hash, signature.owner, signature.alone(), "service")
