"""Signatures of other owners out of a file, into the journal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from chains.evm.safe.lifecycle import ProposalState, fold_proposals
from chains.evm.safe.reading import SafeUnsupported, read_safe
from chains.evm.safe.typed import SafeTx
from pipeline.manifest.families import NO_SAFES, evm_target
from pipeline.manifest.project import load_project
from pipeline.proposals.collecting import SignaturesRefused, about, accepted, known, read_signatures
from pipeline.proposals.sharing import keep_signature
from pipeline.session import open_session, unfinished_plan
from pipeline.ui.base import Ui

__all__ = ["import_signatures"]


def import_signatures(root: Path, target_name: str, file: Path, ui: Ui) -> list[dict[str, Any]]:
    """Every signature of the file, each by an owner of its Safe; all are checked before the first is kept.

    Raises ``SignaturesRefused``.
    """
    project = load_project(root)
    target = evm_target(project, target_name, *NO_SAFES)
    given = read_signatures(file)
    with open_session(
        project, target, ui, purpose=f"ship proposals import --chain {target.name}", write=True
    ) as session:
        session.confirm_chain()
        digest = unfinished_plan(session.rows)
        states = fold_proposals(session.rows, digest) if digest else {}
        found = []
        for one in given:
            place = about(states, one.safe_tx_hash)
            if digest is None or place is None:
                dead = any(one.safe_tx_hash in state.dead for state in states.values())
                raise SignaturesRefused(
                    f"{one.safe_tx_hash} is {'dead: another transaction took its nonce' if dead else 'no open proposal'}",
                    remedy=f"`ship proposals show --chain {target.name}` lists those that are open.",
                )
            proposal = next(p for p in session.plan(digest).body.proposals if p.id == place[0])
            safe = read_safe(session.chain.rpc, place[1] or proposal.safe, session.chain.identity.id)
            if safe is None:
                raise SafeUnsupported(f"there is no Safe at {proposal.safe}", remedy="Check the target's endpoint.")
            tx = _signed(states[proposal.id], place[1])
            signature = accepted(session.chain.rpc, safe, tx, one)
            old = known(signature, states[proposal.id].signed_by(one.safe_tx_hash))
            found.append((proposal.id, one.safe_tx_hash, signature, old))
        for name, digest_of_tx, signature, old in found:
            if not old:
                assert digest is not None
                keep_signature(session, digest, name, digest_of_tx, signature.owner, signature.alone(), "import")
    return [{"proposal": n, "safeTxHash": h, "owner": s.owner, "known": k} for n, h, s, k in found]


def _signed(state: ProposalState, nested: str) -> SafeTx:
    """The transaction a signature is of: the proposal's own, or that of an owner's Safe."""
    tx = next(n.tx for n in state.nested if n.safe == nested) if nested else state.tx
    assert tx is not None
    return tx
