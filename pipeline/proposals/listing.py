"""The proposals of a target's unfinished plan, from the journal alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from chains.evm.safe.lifecycle import ProposalState, fold_proposals
from pipeline.journal import read_rows
from pipeline.manifest.families import NO_SAFES, evm_target
from pipeline.manifest.project import load_project
from pipeline.plan import load_plan
from pipeline.session import unfinished_plan
from pipeline.state.local import ProjectState

__all__ = ["list_proposals", "render"]


def list_proposals(root: Path, target_name: str) -> list[dict[str, Any]]:
    """Asks no chain: what is missing there, `ship deploy` finds out."""
    project = load_project(root)
    state = ProjectState(project.root).target(evm_target(project, target_name, *NO_SAFES).name)
    rows = read_rows(state.journal, state.journal.read_bytes())[0] if state.journal.exists() else []
    digest = unfinished_plan(rows)
    if digest is None:
        return []
    states = fold_proposals(rows, digest)
    listed = []
    for proposal in load_plan(state.plan(digest), expected=digest).body.proposals:
        seen = states.get(proposal.id, ProposalState(proposal.id))
        path = state.folder / "proposals" / f"{seen.hash}.json"
        listed.append(
            {
                "proposal": proposal.id,
                "state": {"planned": "planned", "made": "proposed", "executed": "executed"}[seen.stage],
                "safe": proposal.safe,
                "actions": list(proposal.actions),
                "safeTxHash": seen.hash or None,
                "nonce": seen.tx.nonce if seen.tx else None,
                "threshold": proposal.threshold,
                "signed": sorted(seen.signed_by(seen.hash)),
                "dead": list(seen.dead),
                "file": str(path.relative_to(project.root)) if path.exists() else None,
            }
        )
    return listed


def render(listed: Sequence[dict[str, Any]]) -> list[str]:
    if not listed:
        return ["no proposals: no plan is unfinished, or it needs none"]
    lines = []
    for entry in listed:
        lines += [
            f"{entry['proposal']}  {entry['state']}  {', '.join(entry['actions'])}",
            f"  Safe        {entry['safe']}",
            f"  safeTxHash  {entry['safeTxHash'] or 'not made yet'}",
            f"  signatures  {len(entry['signed'])} collected of {entry['threshold']}: {', '.join(entry['signed']) or 'none'}",
            f"  file        {entry['file'] or 'none yet'}",
        ]
    return lines
